/** The digests of the blocks of a piece of memory, each with the salt before it (dm-verity hash type 1). */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type Algorithm, digestSize } from './algorithm.ts';

/** Returns the digests of whole blocks, one behind the other. */
export type BlockHasher = (blocks: Uint8Array) => Uint8Array;

/** What decides on the digest of a block. The size is in bytes. */
export interface BlockHash {
  readonly algorithm: Algorithm;
  readonly salt: Uint8Array;
  readonly blockSize: number;
}

/** Returns the hasher for blocks of one size. */
export function blockHasher({ algorithm, salt, blockSize }: BlockHash): BlockHasher {
  const salted = new Uint8Array(salt.length + blockSize);
  salted.set(salt);
  const size = digestSize(algorithm);
  return (blocks) => {
    const count = blocks.length / blockSize;
    const digests = Buffer.alloc(count * size);
    for (let block = 0; block < count; block++) {
      salted.set(blocks.subarray(block * blockSize, (block + 1) * blockSize), salt.length);
      // A digest as text spares an object for each: that is a fifth of all the time.
      digests.write(hash(algorithm, salted, 'binary'), block * size, 'latin1');
    }
    return digests;
  };
}
