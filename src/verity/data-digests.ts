/** The digests of all blocks of the data, in order, on two threads when there is enough for two. */
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { blockHasher } from './block-hasher.ts';
import { startBlockThread } from './block-thread.ts';
import type { Parameters } from './superblock.ts';

/** Bytes that can be read into memory of the caller. */
export interface BlockSource extends ByteSource {
  /** Returns the part of `memory` that was filled, which is all of it but where the source ends. */
  readInto(offset: number, memory: Uint8Array): Uint8Array;
}

/** How to go about it. */
export interface Labour {
  /** The data's file, for error messages. */
  readonly name: string;
  /** What a second thread is started from; without it there is none. */
  readonly workerEntry?: URL;
}

/** Bytes that one thread hashes at a time: a multiple of every size of a block. */
const PIECE = 1024 * 1024;

/** Bytes below which starting a thread costs more than it saves. */
const WORTH_A_THREAD = 64 * 1024 * 1024;

/** Pieces hashed ahead of one that is late; their digests are all that is kept of them. */
const AHEAD = 256;

/**
 * Yields the digests of the blocks, in pieces. Memory does not grow with the data.
 * @throws {SOURCE_CHANGED} when the data end before they should
 */
export async function* dataDigests(
  source: BlockSource,
  { algorithm, salt, dataBlockSize: blockSize, dataBlocks }: Parameters,
  { name, workerEntry }: Labour,
): AsyncGenerator<Uint8Array> {
  const size = dataBlocks * blockSize;
  const pieces = Math.ceil(size / PIECE);
  const hasher = blockHasher({ algorithm, salt, blockSize });
  const own = new Uint8Array(Math.min(PIECE, size));
  const done = new Map<number, Uint8Array>();
  const read = (piece: number, memory: Uint8Array) =>
    readPiece(source, piece * PIECE, memory, size, name);
  const hashHere = (piece: number) => done.set(piece, hasher(read(piece, own)));
  const isWorthIt = size >= WORTH_A_THREAD && availableParallelism() > 1;
  const entry = isWorthIt ? workerEntry : undefined;
  const thread = await startBlockThread(entry, { algorithm, salt, blockSize }, PIECE, done);
  try {
    let next = 0;
    for (let due = 0; due < pieces; ) {
      while (next < pieces && thread.give(next, (memory) => read(next, memory))) next++;
      if (next < pieces && done.size < AHEAD) hashHere(next++);
      // A thread that ended owes its pieces, and they are hashed here.
      else if (!done.has(due) && !(await thread.answer())) hashHere(due);
      await setImmediate();
      for (let digests = done.get(due); digests !== undefined; digests = done.get(++due)) {
        done.delete(due);
        yield digests;
      }
    }
  } finally {
    thread.stop();
  }
}

/** Reads as much of a piece as there is before `size`. */
function readPiece(
  source: BlockSource,
  offset: number,
  memory: Uint8Array,
  size: number,
  name: string,
): Uint8Array {
  const wanted = memory.subarray(0, Math.min(PIECE, size - offset));
  const got = source.readInto(offset, wanted);
  if (got.length === wanted.length) return got;
  throw new EspError(
    'SOURCE_CHANGED',
    `${name}: expected ${size} bytes, got ${offset + got.length}`,
  );
}
