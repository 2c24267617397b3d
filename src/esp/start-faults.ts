/** Programs of ours that firmware would not start are damaged. What another machine boots from is not ours to judge. */
import type { BlobFile, EntryFile, Inventory } from './inventory.ts';

/** Returns an inventory in which programs of ours count as damaged that firmware would not start. */
export function withStartFaults(inventory: Inventory): Inventory {
  const { entries, blobs } = inventory;
  const isOwn = ({ name, adopted }: EntryFile) => name !== undefined || adopted !== undefined;
  const ours = namedBy(entries.filter(isOwn));
  const theirs = namedBy(entries.filter((entry) => !isOwn(entry)));
  const isTheirs = ({ path }: BlobFile) => {
    const key = path.toLowerCase();
    return theirs.has(key) && !ours.has(key);
  };
  return {
    ...inventory,
    entries: entries.map((entry) => (isOwn(entry) ? damaged(entry) : entry)),
    blobs: blobs.map((blob) => (isTheirs(blob) ? blob : damaged(blob))),
  };
}

function namedBy(entries: readonly EntryFile[]): ReadonlySet<string> {
  return new Set(entries.flatMap(({ references }) => references.map((path) => path.toLowerCase())));
}

function damaged<File extends Pick<EntryFile, 'damage' | 'fault'>>(file: File): File {
  return file.fault === undefined || file.damage !== undefined
    ? file
    : { ...file, damage: file.fault };
}
