/** Computes the digest of a file, read through the Disk port. */
import { type Digest, digestOf } from '../digest.ts';
import type { Disk } from './disk.ts';
import { createSha256 } from './sha256.ts';

const CHUNK = 1024 * 1024;

/** Returns the digest of a file. Memory does not grow with its size. */
export function digestIn(path: string, disk: Disk): Digest {
  using file = disk.open(path);
  const sha256 = createSha256();
  for (let at = 0; at < file.size; at += CHUNK) sha256.update(file.read(at, CHUNK));
  return digestOf(sha256.digest());
}
