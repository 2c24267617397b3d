/**
 * How large an ext4 file system is that holds a tree: the arithmetic of mke2fs for blocks of 4096
 * bytes and inodes of 256 (Linux, Documentation/filesystems/ext4; mke2fs(8)).
 */
import type { TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';

/** In bytes. */
export const EXT4_BLOCK = 4096;
const INODE = 256;
const DESCRIPTOR = 64;
/** In blocks. */
const GROUP = 32_768;
/** Inodes that mke2fs takes for itself: ten reserved ones and `lost+found`. */
const RESERVED_INODES = 16;
/** A link of fewer bytes lies in its inode. */
const FAST_LINK = 60;
/** Of a directory's block: what entries can have, beside its checksum. */
const DIRECTORY_ROOM = EXT4_BLOCK - 12;
/** Free bytes that each further file may be expected to take, as mke2fs does. */
const BYTES_PER_INODE = 16_384;
/** mke2fs refuses much less. */
const SMALLEST = 256;
/** `lost+found` has four blocks, and the root one more. */
const FIXED_BLOCKS = 5;
/** Four extents fit into an inode; a longer file has blocks of them, each for so many blocks. */
const EXTENT_REACH = 32_768;
const EXTENTS_IN_INODE = 4;

/** What a tree takes. */
export interface Ext4Needs {
  readonly blocks: number;
  readonly inodes: number;
}

/** Returns what a tree takes, with bytes to spare and inodes for them. */
export function ext4Needs(tree: Tree, spare: number): Ext4Needs {
  let blocks = 0;
  for (let index = 0; index < tree.length; index++) {
    if (tree.firstOf(index) !== index) continue;
    const node = tree.at(index);
    blocks += node.kind === 'directory' ? directoryBlocks(tree, index) : contentBlocks(node);
    blocks += node.xattrs.length > 0 ? 1 : 0;
  }
  return {
    blocks: blocks + Math.ceil(spare / EXT4_BLOCK),
    inodes: tree.length + RESERVED_INODES + Math.floor(spare / BYTES_PER_INODE),
  };
}

function contentBlocks({ kind, size, target = '' }: TreeNode): number {
  if (kind === 'link') return Buffer.byteLength(target) >= FAST_LINK ? 1 : 0;
  return kind === 'file' ? fileBlocks(size) : 0;
}

function fileBlocks(size: number): number {
  const blocks = Math.ceil(size / EXT4_BLOCK);
  const extents = Math.ceil(blocks / EXTENT_REACH);
  return blocks + (extents > EXTENTS_IN_INODE ? Math.ceil(extents / 340) : 0);
}

/** Of the directory itself and of the one above it. */
const DOTS = 2 * 12;

function directoryBlocks(tree: Tree, index: number): number {
  let blocks = 1;
  let used = DOTS;
  for (const { name } of tree.childrenOf(index)) {
    const entry = 8 + Math.ceil(Buffer.byteLength(name) / 4) * 4;
    if (used + entry > DIRECTORY_ROOM) {
      blocks++;
      used = 0;
    }
    used += entry;
  }
  return blocks;
}

/** Returns how many blocks a file system has in all that has room for what is needed. */
export function ext4Blocks(needs: Ext4Needs): number {
  let total = Math.max(SMALLEST, needs.blocks + FIXED_BLOCKS);
  for (;;) {
    const next = needs.blocks + FIXED_BLOCKS + overhead(total, needs.inodes);
    if (next <= total) return total;
    total = next;
  }
}

/** Returns how many inodes fit a file system of a size that a caller has chosen. */
export function ext4Inodes(blocks: number, needs: Ext4Needs): number {
  const free = Math.max(0, blocks - ext4Blocks(needs)) * EXT4_BLOCK;
  return needs.inodes + Math.floor(free / (BYTES_PER_INODE + INODE));
}

function overhead(total: number, inodes: number): number {
  const groups = Math.ceil(total / GROUP);
  const table = Math.ceil((Math.ceil(inodes / groups / 16) * 16 * INODE) / EXT4_BLOCK);
  const descriptors = Math.ceil((groups * DESCRIPTOR) / EXT4_BLOCK);
  // Room for a file system a thousand times as large.
  const grown = Math.ceil((groups * 1024 * DESCRIPTOR) / EXT4_BLOCK);
  const reserved = Math.min(1024, Math.max(0, grown - descriptors));
  const copies = backups(groups) * (1 + descriptors + reserved);
  return groups * (2 + table) + copies + journalBlocks(total);
}

/** How many groups have a copy of the superblock: 0, 1 and the powers of 3, 5 and 7. */
function backups(groups: number): number {
  let count = Math.min(groups, 2);
  for (const base of [3, 5, 7]) {
    for (let group = base; group < groups; group *= base) count++;
  }
  return count;
}

/** How large mke2fs makes the journal, by the blocks of the file system. */
const JOURNALS: readonly (readonly [below: number, blocks: number])[] = [
  [2048, 0],
  [32_768, 1024],
  [262_144, 4096],
  [524_288, 8192],
  [4_194_304, 16_384],
  [8_388_608, 32_768],
  [16_777_216, 65_536],
  [33_554_432, 131_072],
];
const LARGEST_JOURNAL = 262_144;

function journalBlocks(total: number): number {
  const blocks = JOURNALS.find(([below]) => total < below)?.[1] ?? LARGEST_JOURNAL;
  // A file as others are: its extents may need a block as well.
  return fileBlocks(blocks * EXT4_BLOCK);
}
