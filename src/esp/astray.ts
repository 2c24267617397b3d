/** Finds entries that lead to the part of an image that is not theirs. */
import type { BlobFile, EntryFile } from './inventory.ts';
import { fileName } from './layout.ts';
import { profileId } from './shared-entry.ts';

/**
 * Returns entries of ours with what is wrong with where they lead: to no image of ours, or to the
 * profile of another entry. A file that is not there is told of by whoever looks for missing files.
 */
export function withAstray(
  entries: readonly EntryFile[],
  blobs: readonly BlobFile[],
): readonly EntryFile[] {
  if (!entries.some(({ pointer }) => pointer)) return entries;
  const images = new Map(blobs.map((blob) => [blob.path.toLowerCase(), blob]));
  return entries.map((entry) => {
    const damage = entry.damage === undefined ? astray(entry, images) : undefined;
    return damage === undefined ? entry : { ...entry, damage };
  });
}

function astray(
  { id, name, pointer }: EntryFile,
  images: ReadonlyMap<string, BlobFile>,
): string | undefined {
  if (!name || !pointer) return undefined;
  if (!pointer.to) return 'its first lines are not as we write them';
  const { image, profile } = pointer.to;
  const found = images.get(image.toLowerCase());
  if (found === undefined || found.damage !== undefined) return undefined;
  if (found.profiles?.[profile] === profileId(id)) return undefined;
  return `profile ${profile} of ${fileName(image)} is not its own`;
}
