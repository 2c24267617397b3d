/** SHA-256 of one file, piece by piece. */
import type { Hash } from 'node:crypto';
import * as fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type Digest, digestOf } from '../digest.ts';
import { EspError } from '../error.ts';
import { ioError } from './io-error.ts';
import { createSha256 } from './sha256.ts';

/** A regular file and how many bytes it is expected to hold. */
export interface SizedFile {
  readonly path: string;
  readonly size: number;
}

/**
 * Bytes per read. Plain reads in this size beat the thread pool: the kernel reads ahead while we
 * hash, and with both cores busy hashing a trip to another thread only costs.
 */
const PIECE = 512 * 1024;

/** Pieces between two looks at the event loop: some five milliseconds of hashing. */
const PIECES_PER_TURN = 16;

/** Returns the buffer that all calls of {@link hashFile} on one thread share, one at a time. */
export function hashBuffer(): Uint8Array {
  return new Uint8Array(PIECE);
}

/**
 * Returns the digest of a file's content. Memory does not grow with the file.
 * @throws {SOURCE_CHANGED} when the file does not hold `size` bytes
 * @throws {IO} when it cannot be read
 */
export async function hashFile(file: SizedFile, buffer: Uint8Array): Promise<Digest> {
  const sha256 = createSha256();
  const read = await feed(sha256, file, buffer).catch((error: unknown) => {
    throw ioError('hash', file.path, error);
  });
  if (read === file.size) return digestOf(sha256.digest());
  throw new EspError(
    'SOURCE_CHANGED',
    `${file.path}: expected ${file.size} bytes, got ${read > file.size ? 'more' : read}`,
    { hint: 'the file changed while it was read; run again' },
  );
}

/** Returns how many bytes were hashed; stops as soon as there are more than expected. */
async function feed(sha256: Hash, file: SizedFile, buffer: Uint8Array): Promise<number> {
  // Without O_NONBLOCK a FIFO put in the file's place would make this wait for ever.
  const fd = fs.openSync(file.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    let read = 0;
    for (let piece = 1; read <= file.size; piece++) {
      const count = fs.readSync(fd, buffer, 0, buffer.length, read);
      if (count === 0) break;
      sha256.update(buffer.subarray(0, count));
      read += count;
      if (piece % PIECES_PER_TURN === 0) await setImmediate();
    }
    return read;
  } finally {
    fs.closeSync(fd);
  }
}
