/** Reads what the content-addressed files on an ESP say of themselves in their headers. */
import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import type { Disk } from '../disk/disk.ts';
import { requireNothingBehind } from '../pe/carried-signature.ts';
import { type Pe, parsePe, readSection } from '../pe/pe.ts';
import type { BlobFile } from './inventory.ts';
import { type BlobName, type EspPath, isImageBlob, isProgram, parseBlobName } from './layout.ts';
import { type Demands, firmwareSays, type ListedFile } from './scan-entries.ts';
import { attempt, decode, ifThere } from './untrusted.ts';

/** In bytes. No profile of ours has a longer description. */
const PROFILE_LIMIT = 4096;

/** Returns a content-addressed file of ours; none for a file of another name, or that is gone. */
export function scanBlob(
  disk: Disk,
  root: string,
  { name, path }: ListedFile,
  demands: Demands,
): BlobFile[] {
  const parsed = parseBlobName(name);
  return parsed ? ifThere(() => readBlob(disk, `${root}/${path}`, path, parsed, demands)) : [];
}

function readBlob(
  disk: Disk,
  at: string,
  path: EspPath,
  name: BlobName,
  demands: Demands,
): BlobFile {
  using file = disk.open(at);
  const blob: BlobFile = { path, size: file.size, name };
  if (!isProgram(name)) return blob;
  const signed = isImageBlob(name) ? demands.images : demands.kernels;
  let found: Partial<BlobFile> = {};
  const damage = attempt(() => {
    const pe = parsePe(file);
    // A kernel that nobody signed may have anything behind its end.
    if (isImageBlob(name) || pe.certificateTable.size > 0) requireNothingBehind(pe);
    if (isImageBlob(name)) found = partsOf(file, pe);
    found = { ...found, ...firmwareSays(file, pe, demands, signed) };
  });
  return { ...blob, ...found, ...(damage === undefined ? {} : { damage }) };
}

function partsOf(file: ByteSource, { sections }: Pe): Pick<BlobFile, 'profiles' | 'sections'> {
  const profiles = sections.filter(({ name }) => name === '.profile');
  return {
    profiles: profiles.map((profile) => {
      if (profile.virtualSize > PROFILE_LIMIT) return '';
      const text = decode(readSection(file, profile, PROFILE_LIMIT)) ?? '';
      return lastValue(parseLines(text, '='), 'ID')?.toLowerCase() ?? '';
    }),
    sections: sections.map((section) => ({ name: section.name, size: section.virtualSize })),
  };
}
