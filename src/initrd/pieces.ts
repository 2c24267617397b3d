/** Reads parts of a file, for readers that go from front to back. */
import type { ByteSource } from '../byte-source.ts';
import { damaged } from './obstacle.ts';

const PIECE_SIZE = 64 * 1024;
const WINDOW_SIZE = 4096;

/** Yields the bytes between two offsets. */
export function* pieces(source: ByteSource, start: number, end: number): Generator<Uint8Array> {
  for (let at = start; at < end; at += PIECE_SIZE) {
    yield source.read(at, Math.min(PIECE_SIZE, end - at));
  }
}

/** Returns the same bytes. A small read fetches the bytes behind it too. */
export function windowed(source: ByteSource): ByteSource {
  let start = 0;
  let window = new Uint8Array();
  const read = (offset: number, length: number): Uint8Array => {
    if (length > WINDOW_SIZE) return source.read(offset, length);
    if (offset < start || offset + length > start + window.length) {
      start = offset;
      window = Uint8Array.from(source.read(offset, WINDOW_SIZE));
    }
    return window.subarray(offset - start, offset - start + length);
  };
  return { size: source.size, read };
}

/** Returns the bytes at an offset. @throws {Obstruction} when the source ends before them */
export function readAll(source: ByteSource, offset: number, length: number): Uint8Array {
  const bytes = source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw damaged(`expected ${length} bytes at byte ${offset}, got ${bytes.length}`);
}

/**
 * Returns an offset that lies within the file. @throws {Obstruction} when it lies beyond the end
 */
export function inside(source: ByteSource, offset: number): number {
  if (offset <= source.size) return offset;
  throw damaged(`expected bytes up to byte ${offset}, got ${source.size}`);
}

/** Returns the number in up to four bytes at an offset, least significant byte first. */
export function readNumber(source: ByteSource, offset: number, length: number): number {
  return readAll(source, offset, length).reduceRight((sum, byte) => sum * 256 + byte, 0);
}
