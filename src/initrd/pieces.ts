/** Parts of a file, for those who go through it from front to back. */
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

/** Returns the same bytes, of which small parts are read together with those behind them. */
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

/** Returns the bytes at an offset. @throws {Obstruction} when the source ends before */
export function readAll(source: ByteSource, offset: number, length: number): Uint8Array {
  const bytes = source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw damaged(`expected ${length} bytes at byte ${offset}, got ${bytes.length}`);
}

/** Returns an offset that is not beyond the end. @throws {Obstruction} when it is */
export function inside(source: ByteSource, offset: number): number {
  if (offset <= source.size) return offset;
  throw damaged(`expected bytes up to byte ${offset}, got ${source.size}`);
}

/** Returns the number in up to four bytes at an offset, the least significant first. */
export function readNumber(source: ByteSource, offset: number, length: number): number {
  return readAll(source, offset, length).reduceRight((sum, byte) => sum * 256 + byte, 0);
}
