/** Data with their hash area in memory. */
import { bytesSource } from '../../src/byte-source.ts';
import { dataDigests } from '../../src/verity/data-digests.ts';
import type { BlockSource } from '../../src/verity/data-pieces.ts';
import { hashArea } from '../../src/verity/hash-area.ts';
import { hashTree } from '../../src/verity/hash-tree.ts';
import { formatSuperblock, type Parameters, type Superblock } from '../../src/verity/superblock.ts';

/** Returns parameters of small blocks; state what differs. */
export function someParameters(different: Partial<Superblock> = {}): Superblock {
  return {
    algorithm: 'sha256',
    dataBlockSize: 4096,
    hashBlockSize: 4096,
    dataBlocks: 10,
    salt: Uint8Array.from({ length: 32 }, (_, at) => at),
    uuid: new Uint8Array(16),
    ...different,
  };
}

/** Returns a source over bytes in memory. */
export function blockSource(bytes: Uint8Array): BlockSource {
  return {
    ...bytesSource(bytes),
    readInto(offset, memory) {
      const part = bytes.subarray(offset, offset + memory.length);
      memory.set(part);
      return memory.subarray(0, part.length);
    },
  };
}

/** Returns data whose block `i` is the number `i` again and again, as a little-endian u64. */
export function numberedBlocks({ dataBlocks, dataBlockSize }: Parameters): Uint8Array {
  const numbers = new BigUint64Array((dataBlocks * dataBlockSize) / 8);
  const each = dataBlockSize / 8;
  for (let block = 0; block < dataBlocks; block++) {
    numbers.fill(BigInt(block), block * each, (block + 1) * each);
  }
  return new Uint8Array(numbers.buffer);
}

/** Returns the hash area of data, with whatever lies before it as zeros. */
export async function formatted(
  data: Uint8Array,
  superblock: Superblock,
  offset = 0,
): Promise<{ readonly hash: Uint8Array; readonly rootHash: Uint8Array }> {
  const hash = new Uint8Array(hashArea(superblock, offset).end);
  const digests = dataDigests(blockSource(data), superblock, { name: 'data' });
  const tree = hashTree(superblock, offset, digests);
  let step = await tree.next();
  for (; !step.done; step = await tree.next()) hash.set(step.value.bytes, step.value.offset);
  hash.set(formatSuperblock(superblock), offset);
  return { hash, rootHash: step.value };
}
