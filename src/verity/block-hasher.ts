/**
 * Computes the digests of the blocks in a buffer, each with the salt before it (dm-verity hash type
 * 1).
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type Algorithm, slotSize } from './algorithm.ts';

/** Everything that a block's digest depends on. Size in bytes. */
export interface BlockHash {
  readonly algorithm: Algorithm;
  readonly salt: Uint8Array;
  readonly blockSize: number;
}

/** Hashes blocks that the caller puts into its memory. */
export interface BlockHasher {
  /** The caller puts the blocks here. */
  readonly memory: Uint8Array;
  /**
   * Returns the digests of the whole blocks in the first `length` bytes of the memory, as a level
   * of the tree holds them: each with zeros up to the size of its slot. The call destroys the
   * memory's content.
   */
  digest(length: number): Uint8Array;
}

/** Returns a hasher of whole blocks, for at most `capacity` bytes at once. */
export function blockHasher(
  { algorithm, salt, blockSize }: BlockHash,
  capacity: number,
): BlockHasher {
  // The salt overwrites the end of the block before, whose digest is done by then. So no block has
  // to be moved to follow its salt.
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
        // A digest as text needs no object of its own, which saves a fifth of the time.
        slots.write(hash(algorithm, input, 'binary'), at, 'latin1');
      }
      return slots;
    },
  };
}
