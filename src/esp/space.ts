/** Space on a FAT file system, counted as it is handed out: in clusters. All sizes in bytes. */

/** Returns what a file of `size` bytes occupies. An empty file has no cluster. */
export function allocated(size: number, clusterSize: number): number {
  return Math.ceil(size / clusterSize) * clusterSize;
}

const SLOT_BYTES = 32;
const SLOT_CHARACTERS = 13;

/**
 * Returns what a name occupies in its directory: one slot, and one more for each 13 characters (FAT
 * long names). Twice, for the temporary name that stands beside it for a moment.
 */
export function nameCost(name: string): number {
  return 2 * SLOT_BYTES * (1 + Math.ceil(name.length / SLOT_CHARACTERS));
}
