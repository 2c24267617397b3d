/** Random-access bytes: what parsers read from, so that a header costs a header and not a file. */
import { EspError } from './error.ts';

/** Bytes of known size that can be read in pieces. Offsets and lengths are in bytes. */
export interface ByteSource {
  readonly size: number;
  /** Returns `length` bytes at `offset`, or fewer where the source ends. */
  read(offset: number, length: number): Uint8Array;
  /** As `read`, into memory of the caller, as much as fits; returns the part that was filled. */
  readInto?(offset: number, memory: Uint8Array): Uint8Array;
}

/** Returns a source over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Returns bytes without the zeros at their end: what pads a section, a partition or a variable. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

/** A range of bytes in a source. */
export interface Range {
  readonly offset: number;
  readonly size: number;
}

const CHUNK = 1024 * 1024;

/**
 * Yields the bytes of a range in chunks of at most 1 MiB. Each chunk is valid until the next.
 * @throws {SOURCE_CHANGED} when the source ends before its own size
 */
export function* readRange(source: ByteSource, { offset, size }: Range): Generator<Uint8Array> {
  // Allocating memory for every chunk would cost more than hashing it.
  const memory = source.readInto && new Uint8Array(Math.min(CHUNK, size));
  for (let done = 0; done < size; done += CHUNK) {
    const length = Math.min(CHUNK, size - done);
    yield memory && source.readInto
      ? whole(source.readInto(offset + done, memory.subarray(0, length)), offset + done, length)
      : readExactly(source, offset + done, length);
  }
}

/**
 * Returns exactly `length` bytes.
 * @throws {SOURCE_CHANGED} when the source ends before them
 */
export function readExactly(source: ByteSource, offset: number, length: number): Uint8Array {
  return whole(source.read(offset, length), offset, length);
}

function whole(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  throw new EspError(
    'SOURCE_CHANGED',
    `read at offset ${offset} expected ${length} bytes, got ${bytes.length}`,
    { hint: 'Run again once nothing else writes the file.' },
  );
}
