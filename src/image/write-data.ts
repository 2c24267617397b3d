/** Writes what partitions hold, and hashes it on the way, so that nothing is read twice. */

import { setImmediate } from 'node:timers/promises';
import { EspError } from '../error.ts';
import type { RawFile } from '../process/machine.ts';
import { exactSize } from '../quantity.ts';
import { slotSize } from '../verity/algorithm.ts';
import { blockHasher } from '../verity/block-hasher.ts';
import { hashArea } from '../verity/hash-area.ts';
import { hashTree } from '../verity/hash-tree.ts';
import { formatSuperblock, type Superblock } from '../verity/superblock.ts';
import type { Place } from './layout.ts';

/** Where bytes go, and who hears how many went. */
export interface Writing {
  readonly image: RawFile;
  readonly wrote: (bytes: number) => void;
}

/** In bytes: what is skipped where it is zeros, so that a sparse file stays sparse. */
const HOLE = 64 * 1024;
const ZEROS = new Uint8Array(HOLE);

/** Writes pieces one behind the other, and yields each one after it was written. */
export function* written(
  pieces: Iterable<Uint8Array>,
  offset: number,
  { image, wrote }: Writing,
): Generator<Uint8Array> {
  let at = offset;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += HOLE) {
      const part = piece.subarray(from, from + HOLE);
      if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0)
        image.writeAt(at + from, part);
    }
    at += piece.length;
    wrote(piece.length);
    yield piece;
  }
}

/** Writes pieces into a partition; what lies behind them stays zeros. */
export async function writeData(
  pieces: Iterable<Uint8Array>,
  { offset }: Place,
  writing: Writing,
): Promise<void> {
  for (const _ of written(pieces, offset, writing)) await setImmediate();
}

/** Returns how many bytes the hash area of so much data takes. */
export function hashAreaSize(superblock: Superblock): number {
  return hashArea(superblock, 0).end;
}

/**
 * Writes the hash area of data into a partition. The zeros behind the data are covered as far as the
 * superblock says. Returns the root hash.
 * @param data their bytes in order, which are or were written meanwhile
 * @throws {IMAGE_FULL} when the hash area does not fit
 */
export async function writeHashArea(
  data: Iterable<Uint8Array>,
  hash: Place,
  superblock: Superblock,
  image: RawFile,
): Promise<Uint8Array> {
  const needed = hashAreaSize(superblock);
  if (needed > hash.size) {
    throw new EspError(
      'IMAGE_FULL',
      `a hash area: expected ${exactSize(needed)}, got a partition of ${exactSize(hash.size)}`,
      {
        hint: 'give no size, or a larger one, to the partition with the hash tree',
      },
    );
  }
  const tree = hashTree(superblock, 0, digestsOf(data, superblock));
  let step = await tree.next();
  for (; !step.done; step = await tree.next()) {
    image.writeAt(hash.offset + step.value.offset, step.value.bytes);
  }
  image.writeAt(hash.offset, formatSuperblock(superblock));
  return step.value;
}

/** What is hashed at once, in bytes: a multiple of every block size. */
const BATCH = 1024 * 1024;

/** Yields the digests of whole blocks in slots: of the pieces, then of zeros up to the last block. */
async function* digestsOf(
  pieces: Iterable<Uint8Array>,
  { algorithm, salt, dataBlockSize: blockSize, dataBlocks }: Superblock,
): AsyncGenerator<Uint8Array> {
  const hasher = blockHasher({ algorithm, salt, blockSize }, BATCH);
  let used = 0;
  let done = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + BATCH - used);
      hasher.memory.set(part, used);
      used += part.length;
      at += part.length;
      if (used < BATCH) continue;
      yield hasher.digest(BATCH);
      done += BATCH / blockSize;
      used = 0;
      await setImmediate();
    }
  }
  const rest = Math.ceil(used / blockSize);
  hasher.memory.fill(0, used, rest * blockSize);
  if (rest > 0) yield hasher.digest(rest * blockSize);
  hasher.memory.fill(0, 0, blockSize);
  yield* repeated(hasher.digest(blockSize), dataBlocks - done - rest, slotSize(algorithm));
}

/** Yields a slot so many times. */
function* repeated(slot: Uint8Array, count: number, size: number): Generator<Uint8Array> {
  const most = 4096;
  const slots = new Uint8Array(size * Math.min(count, most));
  for (let at = 0; at < slots.length; at += size) slots.set(slot, at);
  for (let left = count; left > 0; left -= most) {
    yield slots.subarray(0, size * Math.min(left, most));
  }
}
