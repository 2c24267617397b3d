/** A disk on which the ESP, a plain directory, tells the space that a small file system would have. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { WritableDisk } from '../../src/disk/disk.ts';

/** Bytes, of the FAT on a small ESP. */
const CLUSTER = 512;

/** Wraps a disk so that `free` bytes are free beside what lies on the pristine ESP. */
export function sized(
  disk: WritableDisk,
  free: number,
  { world, pristine }: { readonly world: { readonly esp: string }; readonly pristine: string },
): WritableDisk {
  const total = used(pristine) + Math.floor(free / CLUSTER) * CLUSTER;
  return {
    ...disk,
    fileSystem(path) {
      const found = disk.fileSystem(path);
      if (!found || path !== world.esp) return found;
      return { ...found, clusterSize: CLUSTER, total, free: total - used(path) };
    },
  };
}

function used(directory: string): number {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => fs.statSync(join(entry.parentPath, entry.name)).size)
    .reduce((sum, size) => sum + Math.ceil(size / CLUSTER) * CLUSTER, 0);
}
