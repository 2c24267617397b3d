/** Turns a recipe into the bytes of a file: copied, signed, or assembled while it is written. */
import { createHash } from 'node:crypto';
import { type Digest, digestBytes, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import type { NewSection } from '../pe/append-sections.ts';
import { sizeOfSigned } from '../pe/certificate-table.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { IMAGES, type Image } from '../plan/images.ts';
import type { Content, ImageContent, SectionContent } from '../plan/step.ts';
import type { Signer } from '../signer/signer.ts';
import { kernelTraits } from '../uki/kernel.ts';
import { signedFile, stream } from './pieces.ts';

/** In bytes. Stubs and boot loaders have some hundred KiB. */
const STUB_LIMIT = 16 * 1024 * 1024;

/**
 * Returns the size in bytes and the digest of a PE file with our signature added. Writes nothing.
 * @param known the digest from an earlier run; with it, only the headers are read
 */
export async function describeSigned(
  path: string,
  disk: Disk,
  signer: Signer,
  known?: Digest,
): Promise<{ size: number; digest: Digest }> {
  using source = disk.open(path);
  if (known) return { size: sizeOfSigned(source, path, signer.signatureSize), digest: known };
  const layout = signedFile(source, path, signer);
  const sha256 = createHash('sha256');
  await stream(layout.pieces, disk, async (bytes) => void sha256.update(bytes));
  return { size: layout.size, digest: digestOf(sha256.digest()) };
}

/** Returns the size in bytes of a PE file with our signature added. It reads only the headers. */
export function signedSize(path: string, disk: Disk, signer: Signer): number {
  using source = disk.open(path);
  return sizeOfSigned(source, path, signer.signatureSize);
}

/** Returns the layout of a stub with the sections of a recipe. */
export function imageLayout({ kind, stub, sections }: ImageContent, disk: Disk): ImageLayout {
  const bytes = disk.read(stub, STUB_LIMIT);
  const added = sections.map(newSection);
  const image: Image = IMAGES[kind];
  if (!image.carriesKernel) return image.layOut(bytes, added);
  const linux = sections.find(({ name }) => name === '.linux');
  if (linux?.content.kind !== 'file') throw new RangeError('"sections" expected a .linux file');
  using kernel = disk.open(linux.content.path);
  return image.layOut(bytes, added, kernelTraits(kernel, linux.content.path));
}

function newSection({ name, size, content }: SectionContent): NewSection {
  if (content.kind === 'file') return { name, content: { ...content, size } };
  return { name, content: { kind: 'bytes', bytes: bytesOf(content) } };
}

/** Returns the bytes of content that comes from no file. */
export function bytesOf(content: Extract<Content, { kind: 'text' | 'digest' }>): Uint8Array {
  return content.kind === 'text'
    ? new TextEncoder().encode(content.text)
    : digestBytes(content.digest);
}
