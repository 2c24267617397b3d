/** How bytes go through a decompressor of Node's. */
import { pipeline, Readable } from 'node:stream';
import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import { damaged } from './obstacle.ts';

/**
 * Yields what comes out, no faster than it is taken; ending early ends the decompressor.
 * @throws {Obstruction} when the decompressor does not take the bytes
 */
export async function* through(
  packed: Iterable<Uint8Array>,
  decompressor: InflateRaw | ZstdDecompress,
): AsyncGenerator<Uint8Array> {
  // It may end before its input does: then what is left is no concern of it.
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
