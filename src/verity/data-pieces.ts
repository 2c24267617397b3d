/** Cuts data into pieces, hashes a piece, and keeps the queue of pieces that two threads share. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { type BlockHash, blockHasher } from './block-hasher.ts';

/** Bytes that can be read into a buffer of the caller. */
export interface BlockSource extends ByteSource {
  /** Returns the part of `memory` that was filled. It is smaller only where the source ends. */
  readInto(offset: number, memory: Uint8Array): Uint8Array;
}

/** What is to be hashed. */
export interface DataHash extends BlockHash {
  /** The data's file name in errors. */
  readonly name: string;
  /** Size of the data in bytes: whole blocks. */
  readonly size: number;
}

/** Bytes that a thread hashes at a time: a multiple of every block size. */
const PIECE = 1024 * 1024;

export function pieceCount({ size }: DataHash): number {
  return Math.ceil(size / PIECE);
}

/**
 * Returns a function that hashes a piece by its number: it returns the digests of its blocks in
 * slots.
 * @throws {SOURCE_CHANGED} when the data end early
 */
export function pieceHasher(source: BlockSource, hash: DataHash): (piece: number) => Uint8Array {
  const { name, size } = hash;
  const { memory, digest } = blockHasher(hash, Math.min(PIECE, size));
  return (piece) => {
    const offset = piece * PIECE;
    const length = Math.min(PIECE, size - offset);
    const got = source.readInto(offset, memory.subarray(0, length));
    if (got.length === length) return digest(length);
    throw new EspError(
      'SOURCE_CHANGED',
      `${name}: expected ${size} bytes, got ${offset + got.length}`,
    );
  };
}

/** How many pieces may be hashed ahead of a late one. Only their digests are kept. */
const AHEAD = 256;

/** The queue of pieces that two threads share: the next one to take, and the one that is due. */
export type PieceQueue = Int32Array<SharedArrayBuffer>;

const NEXT = 0;
const DUE = 1;

export function pieceQueue(): PieceQueue {
  return new Int32Array(new SharedArrayBuffer(8));
}

/**
 * Takes a piece, unless that would be too far ahead. It may return a number beyond the last piece.
 */
export function takePiece(queue: PieceQueue): number | undefined {
  const isFar = Atomics.load(queue, NEXT) >= Atomics.load(queue, DUE) + AHEAD;
  return isFar ? undefined : Atomics.add(queue, NEXT, 1);
}

/** Takes a piece as {@link takePiece} does, and waits until it may. Blocks the thread. */
export function waitForPiece(queue: PieceQueue): number {
  for (;;) {
    const due = Atomics.load(queue, DUE);
    const piece = takePiece(queue);
    if (piece !== undefined) return piece;
    Atomics.wait(queue, DUE, due);
  }
}

/** Sets the piece that the consumer waits for. */
export function setDue(queue: PieceQueue, piece: number): void {
  Atomics.store(queue, DUE, piece);
  Atomics.notify(queue, DUE);
}
