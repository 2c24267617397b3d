/** Sends bytes through one of Node's decompressors. */
import { pipeline, Readable } from 'node:stream';
import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { damaged } from './obstacle.ts';

/**
 * Yields the output at the caller's pace. Ending early ends the decompressor.
 * @throws {Obstruction} when the decompressor rejects the bytes
 */
export async function* through(
  packed: Iterable<Uint8Array>,
  decompressor: InflateRaw | ZstdDecompress,
): AsyncGenerator<Uint8Array> {
  // The decompressor may end before its input does. The rest of the input is then ignored.
  pipeline(Readable.from(packed), decompressor, () => {});
  try {
    yield* decompressor;
  } catch (error) {
    if (!isComplaint(error)) throw error;
    throw damaged(error.message, error);
  }
}

function isComplaint(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && /^Z(STD)?_/.test(String(error.code));
}
