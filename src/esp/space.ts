/** Computes space on FAT, which is handed out in clusters. All sizes in bytes. */

import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import { directoryOf, type EspPath, fileName } from './layout.ts';

/** The most that FAT can say of the size of a file (FAT §Directory structure). */
export const LARGEST_FILE = 2 ** 32 - 1;

/** The magic number of FAT in statfs(2) (linux/magic.h §MSDOS_SUPER_MAGIC). */
const FAT = 0x4d44;

/** Returns whether a path is on FAT. */
export function isFat(path: string, disk: Pick<Disk, 'fileSystem'>): boolean {
  return disk.fileSystem(path)?.type === FAT;
}

/** Returns the space that a file of `size` bytes takes. An empty file has no cluster. */
export function allocated(size: number, clusterSize: number): number {
  return Math.ceil(size / clusterSize) * clusterSize;
}

/** The size of one slot of a directory (FAT §Directory structure). */
export const SLOT_BYTES = 32;
const SLOT_CHARACTERS = 13;

/** Returns the slots that a long name takes: one, and one more for each 13 characters. */
export function slotsOf(name: string): number {
  return 1 + Math.ceil(name.length / SLOT_CHARACTERS);
}

/** Returns the space of a name, twice: a temporary name stands beside it for a moment. */
function nameCost(name: string): number {
  return 2 * SLOT_BYTES * slotsOf(name);
}

/**
 * Returns the most that directories can grow when they get these names. Each grows by whole
 * clusters, and a new directory takes one more.
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

/** Directories that always hold foreign files. They count as present without a look. */
const SHARED = new Set<string>(['', 'EFI', 'loader']);

/** Returns the directories that have to be made for these files, at every level. */
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

/** Returns the error for what FAT cannot hold. `size` in bytes. */
export function tooLarge(path: string, size: number): EspError {
  return new EspError(
    'FILE_TOO_LARGE',
    `${path}: expected at most ${exactSize(LARGEST_FILE)}, which is all that FAT can hold, got ${exactSize(size)}`,
  );
}
