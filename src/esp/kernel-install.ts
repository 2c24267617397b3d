/** Finds what kernel-install put on an ESP for the kernels that are ours now, and makes it ours. */
import type { Disk } from '../disk/disk.ts';
import type { EntryFile, Inventory, StrayFile } from './inventory.ts';
import {
  directoryOf,
  ENTRIES,
  type EspPath,
  entryId,
  espPath,
  fileName,
  IMAGES,
} from './layout.ts';

/** The names by which kernel-install's files are known. */
export interface InstalledKernels {
  readonly token: string;
  /** Releases of kernels that are generations here. What belongs to others stays. */
  readonly releases: readonly string[];
}

/**
 * Returns an inventory in which entries of these kernels are ours, with the files that they name in the
 * trees of kernel-install: `<token>-<release>.conf` and what lies in `<token>/<release>`, and the image
 * `<token>-<release>.efi`. A rescue entry stays, as does every directory.
 */
export function takeOverKernels(
  inventory: Inventory,
  disk: Disk,
  root: string,
  { token, releases }: InstalledKernels,
): Inventory {
  const trees = new Map(
    releases.flatMap((release) => [
      [espPath(ENTRIES, `${token}-${release}.conf`).toLowerCase(), espPath(token, release)],
      [espPath(IMAGES, `${token}-${release}.efi`).toLowerCase(), undefined],
    ]),
  );
  /** The path of an entry without its boot counter. */
  const plain = (path: EspPath) =>
    espPath(directoryOf(path), entryId(fileName(path))).toLowerCase();
  const isTheirs = ({ name, path }: EntryFile) => name === undefined && trees.has(plain(path));
  const entries = inventory.entries.map((entry) =>
    isTheirs(entry) ? { ...entry, adopted: 0 } : entry,
  );
  const strays = entries.filter(isTheirs).flatMap(({ path, references }): StrayFile[] => {
    const tree = trees.get(plain(path));
    return references.flatMap((file): StrayFile[] => {
      const isInTree = tree !== undefined && directoryOf(file).toLowerCase() === tree.toLowerCase();
      const stat = isInTree ? disk.stat(`${root}/${file}`) : undefined;
      return stat?.kind === 'file' ? [{ path: file, size: stat.size }] : [];
    });
  });
  const unique = new Map(strays.map((stray) => [stray.path.toLowerCase(), stray]));
  return { ...inventory, entries, strays: [...(inventory.strays ?? []), ...unique.values()] };
}
