/** Whether data, hash tree and root hash belong together, and if not, what is the first that does not. */
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ByteSource } from '../byte-source.ts';
import { digestSize } from './algorithm.ts';
import { blockHasher } from './block-hasher.ts';
import { dataDigests, type Labour } from './data-digests.ts';
import type { BlockSource } from './data-pieces.ts';
import type { Finding, Short } from './finding.ts';
import { type HashArea, hashArea } from './hash-area.ts';
import type { Parameters } from './superblock.ts';

/** Data with the hash area that was made for them. Sizes and offsets in bytes. */
export interface Pair {
  readonly data: BlockSource;
  readonly hash: BlockSource;
  readonly parameters: Parameters;
  /** Of the superblock, in `hash`. */
  readonly offset: number;
}

/** Bytes of hash blocks that are looked at together. */
const PIECE = 1024 * 1024;

/** Checks that both are as long as they must be and that the top of the tree has the root hash. */
export function checkTop(pair: Pair, rootHash: Uint8Array): Finding {
  const got = topDigest(pair);
  if (!(got instanceof Uint8Array)) return got;
  if (isSame(got, rootHash)) return { kind: 'intact' };
  return { kind: 'root-hash', expected: bytesToHex(rootHash), got: bytesToHex(got) };
}

/** Returns the digest of the top of the tree, or which of the two is too short to have one. */
export function topDigest({ data, hash, parameters, offset }: Pair): Uint8Array | Short {
  const { algorithm, salt, dataBlockSize, hashBlockSize, dataBlocks } = parameters;
  const { levels, end } = hashArea(parameters, offset);
  const size = dataBlocks * dataBlockSize;
  const top = levels.at(-1);
  if (data.size < size) return { kind: 'short', of: 'data', expected: size, got: data.size };
  if (top && hash.size < end) return { kind: 'short', of: 'hash', expected: end, got: hash.size };
  // Data of a single block have no tree: the block itself is the top.
  const blockSize = top ? hashBlockSize : dataBlockSize;
  const block = top ? hash.read(top.offset, blockSize) : data.read(0, blockSize);
  return blockHasher({ algorithm, salt, blockSize })(block);
}

/**
 * Checks everything from the root hash down: the levels of the tree, then the data. What is above a
 * block has been found good before the block is judged, so the one that is named is the broken one.
 * @throws {SOURCE_CHANGED} when the data become shorter meanwhile
 */
export async function checkAll(pair: Pair, rootHash: Uint8Array, labour: Labour): Promise<Finding> {
  const { data, hash, parameters, offset } = pair;
  const top = checkTop(pair, rootHash);
  if (top.kind !== 'intact') return top;
  const area = hashArea(parameters, offset);
  for (let level = area.levels.length - 2; level >= 0; level--) {
    const block = firstBadHashBlock(hash, parameters, area, level);
    if (block === undefined) continue;
    const at = (area.levels[level]?.offset ?? 0) + block * parameters.hashBlockSize;
    return { kind: 'hash-block', level, block, offset: at };
  }
  if (area.levels.length === 0) return top;
  let checked = 0;
  for await (const digests of dataDigests(data, parameters, labour)) {
    const bad = firstDifference(digests, storedDigests(hash, parameters, area, 0), checked);
    if (bad !== undefined) {
      return { kind: 'data-block', block: bad, offset: bad * parameters.dataBlockSize };
    }
    checked += digests.length / digestSize(parameters.algorithm);
  }
  return top;
}

function firstBadHashBlock(
  hash: ByteSource,
  parameters: Parameters,
  area: HashArea,
  level: number,
): number | undefined {
  const { algorithm, salt, hashBlockSize: blockSize } = parameters;
  const { offset, blocks } = area.levels[level] ?? { offset: 0, blocks: 0 };
  const hasher = blockHasher({ algorithm, salt, blockSize });
  const stored = storedDigests(hash, parameters, area, level + 1);
  for (let block = 0; block < blocks; block += PIECE / blockSize) {
    const length = Math.min(PIECE, (blocks - block) * blockSize);
    const digests = hasher(hash.read(offset + block * blockSize, length));
    const bad = firstDifference(digests, stored, block);
    if (bad !== undefined) return bad;
  }
  return undefined;
}

/** The digests that a level holds; the slots of a level lie one behind the other without a gap. */
interface StoredDigests {
  readonly size: number;
  readonly slotSize: number;
  /** Returns the bytes of `count` slots. */
  readonly slots: (first: number, count: number) => Uint8Array;
}

function storedDigests(
  hash: ByteSource,
  { algorithm }: Parameters,
  { levels, slotSize }: HashArea,
  level: number,
): StoredDigests {
  const { offset } = levels[level] ?? { offset: 0 };
  return {
    size: digestSize(algorithm),
    slotSize,
    slots: (first, count) => hash.read(offset + first * slotSize, count * slotSize),
  };
}

/** Returns the number of the first digest that is not the one stored, counted from the level's first. */
function firstDifference(
  digests: Uint8Array,
  { size, slotSize, slots }: StoredDigests,
  first: number,
): number | undefined {
  const count = digests.length / size;
  const stored = slots(first, count);
  for (let at = 0; at < count; at++) {
    const digest = digests.subarray(at * size, (at + 1) * size);
    if (!isSame(digest, stored.subarray(at * slotSize, at * slotSize + size))) return first + at;
  }
  return undefined;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
