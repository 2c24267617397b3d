/** Chooses the old files to remove before new ones are written, when both do not fit. Pure. */
import { allocated } from '../esp/space.ts';
import { boots, keyOf, type OwnFile, type OwnFiles } from './present.ts';

/** A shortage of space. Sizes in bytes. */
export interface Shortage {
  readonly missing: number;
  /** Files of ours that nothing needs after the plan. */
  readonly stale: readonly OwnFile[];
  /** Entries that boot from such files until they are overwritten to boot from others. */
  readonly moving: readonly OwnFile[];
  readonly own: OwnFiles;
  readonly clusterSize: number;
}

/**
 * Returns the files to remove first: as few entries as possible, the oldest generations first, each
 * with the blobs that nothing else names. Entries that move to another image are the last to go: they
 * are written anew when there is room, so they free nothing but their old image. Returns undefined when
 * even that is not enough.
 *
 * One entry that boots always stays: if all such entries are stale, the newest of them is kept.
 */
export function freeFirst({
  missing,
  stale,
  moving,
  own,
  clusterSize,
}: Shortage): OwnFile[] | undefined {
  if (missing <= 0) return [];
  const entries = stale.filter(({ role }) => role === 'entry');
  const spared = lastThatBoots([...stale, ...moving], own);
  const remaining = new Set([...entries, ...moving]);
  const removed: OwnFile[] = [];
  let freed = 0;
  const remove = (file: OwnFile) => {
    removed.push(file);
    if (!moving.includes(file)) freed += allocated(file.size, clusterSize);
  };
  const removeUnnamedBlobs = () => {
    const named = new Set([...remaining].flatMap((entry) => entry.references.map(keyOf)));
    for (const file of stale) {
      const gone = file.role === 'blob' && !named.has(keyOf(file.path)) && !removed.includes(file);
      if (gone) remove(file);
    }
  };
  removeUnnamedBlobs();
  const going = [...entries.sort(byAge), ...moving.toSorted(byAge)];
  for (const entry of going.filter((file) => file !== spared)) {
    if (freed >= missing) break;
    remaining.delete(entry);
    remove(entry);
    removeUnnamedBlobs();
  }
  return freed >= missing ? removed : undefined;
}

/** Returns the newest stale entry that boots, if no other entry of ours boots. */
export function lastThatBoots(stale: readonly OwnFile[], own: OwnFiles): OwnFile | undefined {
  const staleFiles = new Set(stale);
  const bootable = [...own.values()].filter((file) => boots(file, own));
  if (bootable.some((file) => !staleFiles.has(file))) return undefined;
  return bootable.sort(byAge).at(-1);
}

/** Sorts the oldest generation first. The path decides between entries of one generation. */
function byAge(a: OwnFile, b: OwnFile): number {
  return a.generation - b.generation || (a.path < b.path ? -1 : 1);
}
