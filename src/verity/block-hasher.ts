/** The digests of the blocks of a piece of memory, each with the salt before it (dm-verity hash type 1). */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type Algorithm, slotSize } from './algorithm.ts';

/** What decides on the digest of a block. The size is in bytes. */
export interface BlockHash {
  readonly algorithm: Algorithm;
  readonly salt: Uint8Array;
  readonly blockSize: number;
}

/** Hashes the blocks that it is given in its own memory. */
export interface BlockHasher {
  /** Where the blocks go. */
  readonly memory: Uint8Array;
  /**
   * Returns the digests of the whole blocks in the first `length` bytes of the memory, as a level of the
   * tree holds them: each with zeros up to the size of its slot. What is in the memory is lost.
   */
  digest(length: number): Uint8Array;
}

/** Returns a hasher for at most `capacity` bytes at once, whole blocks. */
export function blockHasher(
  { algorithm, salt, blockSize }: BlockHash,
  capacity: number,
): BlockHasher {
  // The salt of a block overwrites the end of the block before, which has its digest by then: so each
  // lies behind its salt without being moved.
  const salted = new Uint8Array(salt.length + capacity);
  const inputs = Array.from({ length: capacity / blockSize }, (_, block) =>
    salted.subarray(block * blockSize, (block + 1) * blockSize + salt.length),
  );
  const slot = slotSize(algorithm);
  return {
    memory: salted.subarray(salt.length),
    digest(length) {
      const slots = Buffer.alloc((length / blockSize) * slot);
      for (let at = 0, block = 0; at < slots.length; at += slot, block++) {
        const input = inputs[block] ?? salted;
        input.set(salt);
        // A digest as text spares an object for each: that is a fifth of all the time.
        slots.write(hash(algorithm, input, 'binary'), at, 'latin1');
      }
      return slots;
    },
  };
}
