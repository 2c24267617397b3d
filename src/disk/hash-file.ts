/** SHA-256 of one file of a disk, piece by piece. */
import type { Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type Digest, digestOf } from '../digest.ts';
import { EspError } from '../error.ts';
import { errno, ioError } from '../io-error.ts';
import type { Disk } from './disk.ts';
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
export async function hashFile(
  { path, size }: SizedFile,
  disk: Pick<Disk, 'open'>,
  buffer: Uint8Array,
): Promise<Digest> {
  const sha256 = createSha256();
  const got = await feed(sha256, { path, size }, disk, buffer).catch((error: unknown) => {
    throw ioError('hash', path, fromKernel(error));
  });
  if (got === size) return digestOf(sha256.digest());
  throw new EspError(
    'SOURCE_CHANGED',
    `${path}: expected ${size} bytes, got ${got > size ? 'more' : got}`,
    { hint: 'the file changed while it was read; run again' },
  );
}

/** A file that is not there was there a moment ago: that is as bad as any other trouble of the kernel's. */
function fromKernel(error: unknown): unknown {
  return error instanceof EspError && errno(error.cause) !== undefined ? error.cause : error;
}

/** Returns how many bytes a file had when it was opened; they are hashed unless that is too many. */
async function feed(
  sha256: Hash,
  { path, size }: SizedFile,
  disk: Pick<Disk, 'open'>,
  buffer: Uint8Array,
): Promise<number> {
  using file = disk.open(path);
  if (file.size > size) return file.size;
  let read = 0;
  for (let piece = 1; read < file.size; piece++) {
    const bytes = file.readInto(read, buffer);
    if (bytes.length === 0) break;
    sha256.update(bytes);
    read += bytes.length;
    if (piece % PIECES_PER_TURN === 0) await setImmediate();
  }
  return read;
}
