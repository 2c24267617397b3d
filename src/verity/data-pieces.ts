/** Data in pieces: how large, which is hashed next, and how one is hashed, on whatever thread. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { type BlockHash, blockHasher } from './block-hasher.ts';

/** Bytes that can be read into memory of the caller. */
export interface BlockSource extends ByteSource {
  /** Returns the part of `memory` that was filled, which is all of it but where the source ends. */
  readInto(offset: number, memory: Uint8Array): Uint8Array;
}

/** What is to be hashed. */
export interface DataHash extends BlockHash {
  /** The data's file, for error messages. */
  readonly name: string;
  /** Of the data, in bytes: whole blocks. */
  readonly size: number;
}

/** Bytes that one thread hashes at a time: a multiple of every size of a block. */
const PIECE = 1024 * 1024;

export function pieceCount({ size }: DataHash): number {
  return Math.ceil(size / PIECE);
}

/**
 * Returns what hashes a piece by its number: the digests of its blocks in their slots.
 * @throws {SOURCE_CHANGED} when the data end before they should
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

/** Pieces hashed ahead of one that is late; their digests are all that is kept of them. */
const AHEAD = 256;

/** The queue of pieces that two threads share: which is taken next, and which is waited for. */
export type PieceQueue = Int32Array<SharedArrayBuffer>;

const NEXT = 0;
const DUE = 1;

export function pieceQueue(): PieceQueue {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Takes a piece, unless that would be too far ahead; may return one beyond the last. */
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

/** Says which piece is waited for. */
export function setDue(queue: PieceQueue, piece: number): void {
  Atomics.store(queue, DUE, piece);
  Atomics.notify(queue, DUE);
}
