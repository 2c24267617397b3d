/** Checks whether data, hash tree and root hash belong together, and names the first mismatch. */
import { Buffer } from 'node:buffer';
import { bytesToHex } from '@noble/hashes/utils.js';
import { digestSize, slotSize } from './algorithm.ts';
import { blockHasher } from './block-hasher.ts';
import { dataDigests, type Labour } from './data-digests.ts';
import type { BlockSource } from './data-pieces.ts';
import type { Finding, Short } from './finding.ts';
import { hashArea, type Level } from './hash-area.ts';
import type { Parameters } from './superblock.ts';

/** Data, and the hash area that was made for them. Sizes and offsets in bytes. */
export interface Pair {
  readonly data: BlockSource;
  readonly hash: BlockSource;
  readonly parameters: Parameters;
  /** Offset of the superblock in `hash`. */
  readonly offset: number;
}

/** Bytes of hash blocks that are checked together. */
const PIECE = 1024 * 1024;

/** Checks that both are long enough, and that the top of the tree has the root hash. */
export function checkTop(pair: Pair, rootHash: Uint8Array): Finding {
  const got = topDigest(pair);
  if (!(got instanceof Uint8Array)) return got;
  if (isSame(got, rootHash)) return { kind: 'intact' };
  return { kind: 'root-hash', expected: bytesToHex(rootHash), got: bytesToHex(got) };
}

/** Returns the digest of the top of the tree, or which of the two is too short. */
export function topDigest({ data, hash, parameters, offset }: Pair): Uint8Array | Short {
  const { algorithm, salt, dataBlockSize, hashBlockSize, dataBlocks } = parameters;
  const { levels, end } = hashArea(parameters, offset);
  const size = dataBlocks * dataBlockSize;
  const top = levels.at(-1);
  if (data.size < size) return { kind: 'short', of: 'data', expected: size, got: data.size };
  if (top && hash.size < end) return { kind: 'short', of: 'hash', expected: end, got: hash.size };
  // Data of a single block have no tree: the block itself is the top.
  const blockSize = top ? hashBlockSize : dataBlockSize;
  const hasher = blockHasher({ algorithm, salt, blockSize }, blockSize);
  hasher.memory.set(top ? hash.read(top.offset, blockSize) : data.read(0, blockSize));
  return hasher.digest(blockSize).subarray(0, digestSize(algorithm));
}

/**
 * Checks everything from the root hash down: the levels of the tree, then the data. Every block
 * above is already verified when a block is checked, so the named block is the broken one.
 * @throws {SOURCE_CHANGED} when the data shrink meanwhile
 */
export async function checkAll(pair: Pair, rootHash: Uint8Array, labour: Labour): Promise<Finding> {
  const { data, hash, parameters, offset } = pair;
  const top = checkTop(pair, rootHash);
  if (top.kind !== 'intact') return top;
  const { levels } = hashArea(parameters, offset);
  for (let height = levels.length - 1; height > 0; height--) {
    const bad = firstBadHashBlock(hash, parameters, levels, height - 1);
    if (bad !== undefined) return bad;
  }
  const [stored] = levels;
  if (stored === undefined) return top;
  let checked = 0;
  for await (const slots of dataDigests(data, parameters, labour)) {
    const at = firstDifference(slots, hash, stored.offset + checked);
    if (at !== undefined) {
      const block = Math.floor((checked + at) / slotSize(parameters.algorithm));
      return { kind: 'data-block', block, offset: block * parameters.dataBlockSize };
    }
    checked += slots.length;
  }
  return top;
}

/** Checks the blocks of one level against the digests in the level above. */
function firstBadHashBlock(
  hash: BlockSource,
  { algorithm, salt, hashBlockSize: blockSize }: Parameters,
  levels: readonly Level[],
  height: number,
): Finding | undefined {
  const [level, above] = [levels[height], levels[height + 1]];
  if (level === undefined || above === undefined) return undefined;
  const size = level.blocks * blockSize;
  const { memory, digest } = blockHasher({ algorithm, salt, blockSize }, Math.min(PIECE, size));
  const slot = slotSize(algorithm);
  for (let done = 0; done < size; done += PIECE) {
    const length = Math.min(PIECE, size - done);
    hash.readInto(level.offset + done, memory.subarray(0, length));
    const first = done / blockSize;
    const at = firstDifference(digest(length), hash, above.offset + first * slot);
    if (at === undefined) continue;
    const block = first + Math.floor(at / slot);
    return { kind: 'hash-block', level: height, block, offset: level.offset + block * blockSize };
  }
  return undefined;
}

/**
 * Returns the first byte at which slots differ from those stored at an offset. The slots of a level
 * follow each other without a gap.
 */
function firstDifference(slots: Uint8Array, hash: BlockSource, offset: number): number | undefined {
  const stored = hash.read(offset, slots.length);
  if (isSame(slots, stored)) return undefined;
  return slots.findIndex((byte, at) => byte !== stored[at]);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
