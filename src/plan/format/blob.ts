/** The content-addressed files that entries name. Pure. */
import { type BlobKind, blobDirectory, espPath, formatBlobName } from '../../esp/layout.ts';
import type { Bootspec } from '../../generation/bootspec.ts';
import { kernelVersion } from '../../generation/generation.ts';
import type { Payload, WantedFile } from '../wanted.ts';

/** Returns the content-addressed file of a bootspec's payload. */
export function wantBlob(
  token: string,
  bootspec: Bootspec,
  kind: BlobKind,
  { path, size, digest, signed }: Payload,
): WantedFile {
  const name = formatBlobName({ kind, version: kernelVersion(bootspec), digest });
  return {
    role: 'blob',
    path: espPath(blobDirectory(token), name),
    size,
    content: { kind: signed ? 'signed' : 'file', path },
  };
}
