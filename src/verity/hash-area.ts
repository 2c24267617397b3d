/**
 * Lays out a superblock and the levels of its hash tree (cryptsetup §verity hash tree, kernel
 * verity.rst).
 */
import { slotSize } from './algorithm.ts';
import { type Parameters, SUPERBLOCK_SIZE } from './superblock.ts';

/**
 * One level of the tree: digests in consecutive slots, and zeros up to the end of its last block.
 */
export interface Level {
  /** Of its first block, in bytes. */
  readonly offset: number;
  /** How many digests it holds. */
  readonly digests: number;
  readonly blocks: number;
}

/** The layout of a hash area. Offsets and sizes in bytes. */
export interface HashArea {
  /** From the level with the digests of the data up to the level of a single block. */
  readonly levels: readonly Level[];
  readonly treeBlocks: number;
  /** The end of the area. */
  readonly end: number;
}

/** In a file, the superblock's block is written whole: a hash block, but at most a page. */
const PAGE = 4096;

/** Returns the layout of a hash area whose superblock lies at `offset`, a multiple of 512. */
export function hashArea(parameters: Parameters, offset: number): HashArea {
  const { hashBlockSize } = parameters;
  const perBlock = hashBlockSize / slotSize(parameters.algorithm);
  const sizes: { digests: number; blocks: number }[] = [];
  for (let digests = parameters.dataBlocks; digests > 1; ) {
    const blocks = Math.ceil(digests / perBlock);
    sizes.push({ digests, blocks });
    digests = blocks;
  }
  // On the disk the level of a single block comes first, and the digests of the data last.
  let at = roundUp(offset + SUPERBLOCK_SIZE, hashBlockSize);
  const start = at;
  const levels: Level[] = [];
  for (const { digests, blocks } of sizes.reverse()) {
    levels.unshift({ offset: at, digests, blocks });
    at += blocks * hashBlockSize;
  }
  return {
    levels,
    treeBlocks: (at - start) / hashBlockSize,
    end: levels.length > 0 ? at : roundUp(offset + SUPERBLOCK_SIZE, Math.min(hashBlockSize, PAGE)),
  };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
