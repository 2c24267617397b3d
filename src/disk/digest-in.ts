/** Computes the digest of a file, read through the Disk port. */

import { readRange } from '../byte-source.ts';
import { type Digest, digestOf } from '../digest.ts';
import type { Disk } from './disk.ts';
import { createSha256 } from './sha256.ts';

/**
 * Returns the digest of a file. Memory does not grow with its size.
 * @throws {SOURCE_CHANGED} when it ends before its own size
 */
export function digestIn(path: string, disk: Disk): Digest {
  using file = disk.open(path);
  const sha256 = createSha256();
  for (const bytes of readRange(file, { offset: 0, size: file.size })) sha256.update(bytes);
  return digestOf(sha256.digest());
}
