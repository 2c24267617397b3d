/** Computes the SHA-256 of one file of a disk, piece by piece. */
import { setImmediate } from 'node:timers/promises';
import { type Digest, digestOf } from '../digest.ts';
import { EspError } from '../error.ts';
import { errno, ioError } from '../io-error.ts';
import type { Disk } from './disk.ts';
import { createSha256 } from './sha256.ts';

/** A regular file, and its expected size in bytes. */
export interface SizedFile {
  readonly path: string;
  readonly size: number;
}

/**
 * Bytes per read. Plain reads of this size beat the thread pool: the kernel reads ahead during the
 * hashing, and with both cores busy another thread only costs time.
 */
const PIECE = 512 * 1024;

/** Pieces before the event loop gets a turn: some five milliseconds of hashing. */
const PIECES_PER_TURN = 16;

/** Returns the buffer that all calls of {@link hashFile} on one thread share, one at a time. */
export function hashBuffer(): Uint8Array {
  return new Uint8Array(PIECE);
}

/**
 * Returns the digest of a file's content. Memory does not grow with the file.
 * @param onRead called with how many bytes more were read
 * @throws {SOURCE_CHANGED} when the file does not hold `size` bytes
 * @throws {IO} when it cannot be read
 */
export async function hashFile(
  { path, size }: SizedFile,
  disk: Pick<Disk, 'open'>,
  buffer: Uint8Array,
  onRead?: (bytes: number) => void,
): Promise<Digest> {
  const sha256 = createSha256();
  const take = (bytes: Uint8Array) => {
    sha256.update(bytes);
    onRead?.(bytes.length);
  };
  const got = await feed(take, { path, size }, disk, buffer).catch((error: unknown) => {
    throw ioError('hash', path, fromKernel(error));
  });
  if (got === size) return digestOf(sha256.digest());
  throw new EspError(
    'SOURCE_CHANGED',
    `${path}: expected ${size} bytes, got ${got > size ? 'more' : got}`,
    { hint: 'the file changed while it was read; run again' },
  );
}

/** Turns a missing file into an IO error: it existed a moment ago. */
function fromKernel(error: unknown): unknown {
  return error instanceof EspError && errno(error.cause) !== undefined ? error.cause : error;
}

/** Returns a file's size at opening. The file is hashed only if it is not larger than expected. */
async function feed(
  take: (bytes: Uint8Array) => void,
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
    take(bytes);
    read += bytes.length;
    if (piece % PIECES_PER_TURN === 0) await setImmediate();
  }
  return read;
}
