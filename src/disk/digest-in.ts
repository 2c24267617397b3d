/** The digest of a file that is read through the port. */
import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../digest.ts';
import type { Disk } from './disk.ts';

const CHUNK = 1024 * 1024;

/** Returns the digest of a file. Memory does not grow with its size. */
export function digestIn(path: string, disk: Disk): Digest {
  using file = disk.open(path);
  const sha256 = createHash('sha256');
  for (let at = 0; at < file.size; at += CHUNK) sha256.update(file.read(at, CHUNK));
  return digestOf(sha256.digest());
}
