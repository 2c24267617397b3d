/** Space on a FAT file system, counted as it is handed out: in clusters. All sizes in bytes. */
import type { Disk } from '../disk/disk.ts';
import { directoryOf, type EspPath, fileName } from './layout.ts';

/** The most that FAT can say of the size of a file (FAT §Directory structure). */
export const LARGEST_FILE = 2 ** 32 - 1;

/** What statfs(2) reports of FAT (linux/magic.h §MSDOS_SUPER_MAGIC). */
const FAT = 0x4d44;

/** Tells whether a path is on FAT. */
export function isFat(path: string, disk: Pick<Disk, 'fileSystem'>): boolean {
  return disk.fileSystem(path)?.type === FAT;
}

/** Returns what a file of `size` bytes occupies. An empty file has no cluster. */
export function allocated(size: number, clusterSize: number): number {
  return Math.ceil(size / clusterSize) * clusterSize;
}

/** What one slot of a directory takes (FAT §Directory structure). */
export const SLOT_BYTES = 32;
const SLOT_CHARACTERS = 13;

/** Returns how many slots a long name takes in its directory: one, and one more for each 13 characters. */
export function slotsOf(name: string): number {
  return 1 + Math.ceil(name.length / SLOT_CHARACTERS);
}

/** Returns what a name occupies, twice: for the temporary name that stands beside it for a moment. */
function nameCost(name: string): number {
  return 2 * SLOT_BYTES * slotsOf(name);
}

/**
 * Returns an upper bound of what directories grow by when they get these names: each in whole
 * clusters, and one more for each that has to be made.
 * @param present the directories that exist
 */
export function directoryGrowth(
  paths: readonly EspPath[],
  present: ReadonlySet<EspPath>,
  clusterSize: number,
): number {
  let growth = 0;
  for (const made of Map.groupBy(paths, directoryOf).values()) {
    const names = made.reduce((sum, path) => sum + nameCost(fileName(path)), 0);
    growth += allocated(names, clusterSize);
  }
  return growth + missing(paths, present).size * clusterSize;
}

/** Directories in which there always are others: that they are there is not looked for. */
const SHARED = new Set<string>(['', 'EFI', 'loader']);

/** The directories that have to be made for these files, with those above them. */
function missing(paths: readonly EspPath[], present: ReadonlySet<EspPath>): ReadonlySet<EspPath> {
  const found = new Set<EspPath>();
  for (const own of new Set(paths.map(directoryOf))) {
    if (own === '' || present.has(own)) continue;
    found.add(own);
    for (let above = directoryOf(own); !SHARED.has(above); above = directoryOf(above)) {
      if (!present.has(above)) found.add(above);
    }
  }
  return found;
}
