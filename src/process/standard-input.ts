/** Reads standard input to its end. */

import { EspError } from '../error.ts';
import { ioError } from '../io-error.ts';
import { exactSize } from '../quantity.ts';

/**
 * Returns all of standard input.
 * @param limit in bytes
 * @throws {FILE_TOO_LARGE} when there are more bytes
 */
export async function readInput(limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > limit) break;
    }
  } catch (error) {
    throw ioError('read', 'standard input', error);
  }
  if (size > limit) {
    throw new EspError(
      'FILE_TOO_LARGE',
      `standard input: expected at most ${exactSize(limit)}, got more`,
    );
  }
  return Buffer.concat(chunks);
}
