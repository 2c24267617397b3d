/** Raw disks: the bytes as they are, with holes for zeros. */

import type { WriteDisk } from './format.ts';
import { isZero } from './numbers.ts';

/** In bytes: holes are at least as large as the blocks of usual file systems. */
const PIECE = 64 * 1024;

/** Writes a disk as it is. */
export const writeRaw: WriteDisk = async (disk, sink, { progress }) => {
  const memory = new Uint8Array(PIECE);
  for (let at = 0; at < disk.size; at += PIECE) {
    const piece = disk.readInto(at, memory.subarray(0, Math.min(PIECE, disk.size - at)));
    if (!isZero(piece)) sink.writeAt(at, piece);
    await progress?.(at + piece.length);
  }
  sink.cut(disk.size);
};
