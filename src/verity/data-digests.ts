/**
 * Computes the digests of all data blocks in order, on two threads when there is enough to hash.
 */
import { setImmediate } from 'node:timers/promises';
import { slotSize } from './algorithm.ts';
import { ENDED, startBlockThread, type ThreadStart } from './block-thread.ts';
import {
  type BlockSource,
  pieceCount,
  pieceHasher,
  pieceQueue,
  setDue,
  takePiece,
} from './data-pieces.ts';
import type { Parameters } from './superblock.ts';

/** How to hash the data. */
export interface Labour {
  /** The data's file name in errors. */
  readonly name: string;
  /** What starts a second thread. Without it there is one thread. */
  readonly thread?: ThreadStart;
  /** Called with how many more bytes of the data are hashed. */
  readonly onHashed?: (bytes: number) => void;
}

/** In bytes. Below it, starting a thread costs more than it saves. */
const WORTH_A_THREAD = 64 * 1024 * 1024;

/**
 * Yields the digests of the blocks in their slots, in pieces. Memory does not grow with the data.
 * @throws {SOURCE_CHANGED} when the data end early
 */
export async function* dataDigests(
  source: BlockSource,
  { algorithm, salt, dataBlockSize: blockSize, dataBlocks }: Parameters,
  { name, thread: start, onHashed }: Labour,
): AsyncGenerator<Uint8Array> {
  const hash = { algorithm, salt, blockSize, name, size: dataBlocks * blockSize };
  const pieces = pieceCount(hash);
  const hasher = pieceHasher(source, hash);
  const done = new Map<number, Uint8Array>();
  const queue = pieceQueue();
  const isWorthIt = hash.size >= WORTH_A_THREAD;
  const thread = start && isWorthIt ? await startBlockThread(start, hash, queue, done) : ENDED;
  try {
    for (let due = 0; due < pieces; ) {
      const piece = takePiece(queue) ?? pieces;
      if (piece < pieces) done.set(piece, hasher(piece));
      // A thread that ended leaves its piece undone. This thread hashes it.
      else if (!done.has(due) && !(await thread.answer())) done.set(due, hasher(due));
      await setImmediate();
      for (let digests = done.get(due); digests !== undefined; digests = done.get(++due)) {
        done.delete(due);
        onHashed?.((digests.length / slotSize(algorithm)) * blockSize);
        yield digests;
      }
      setDue(queue, due);
    }
  } finally {
    thread.stop();
  }
}
