/**
 * Where everything lies in an EROFS image. Sizes alone decide, so that the layout is known before
 * a content is read.
 */
import type { TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';
import { directorySize, type Name, withDots } from './directory.ts';
import { BLOCK, INODE_SIZE, SLOT, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from './format.ts';
import { xattrsSize } from './xattrs.ts';

/** Where the inode and the content of a node lie. */
export interface Placed {
  /** Of the node in its tree. */
  readonly index: number;
  readonly node: TreeNode;
  /** The length of the content in bytes: of a file, a directory or the target of a link. */
  readonly size: number;
  readonly xattrs: number;
  /** The number of the block that has the inode, and where in it: bytes. */
  readonly meta: number;
  readonly at: number;
  /** How many bytes of the content lie behind the inode. */
  readonly inline: number;
  /** The first block of the rest of the content. */
  readonly block: number;
  readonly links: number;
}

/** What follows what in the image: blocks of a node's content, or a block of inodes. */
export type Extent =
  | { readonly kind: 'content'; readonly placed: Placed }
  | { readonly kind: 'meta'; readonly block: number; readonly nodes: Iterable<number> };

/** Numbers of one kind for all nodes: a layout takes forty bytes for each. */
interface Columns {
  readonly size: Float64Array;
  readonly links: Uint32Array;
  /** The index of the block of inodes, in the order in which they were begun. */
  readonly meta: Uint32Array;
  /** The next node whose inode is in the same block; 0 for none. */
  readonly next: Uint32Array;
  readonly at: Uint16Array;
  readonly inline: Uint16Array;
  readonly block: Uint32Array;
}

/** A block of inodes. */
interface MetaBlock {
  readonly index: number;
  used: number;
  last: number;
}

/** How many blocks of inodes are filled at once: more waste less, and are looked through longer. */
const OPEN_BLOCKS = 32;
/** Among the extents: a block of inodes by its index, not a node. */
const IS_META = 0x8000_0000;
const ROOT = 0;

/** Returns the layout of a tree. */
export function layOut(tree: Tree): Layout {
  return new Layout(tree);
}

/** A whole image. */
export class Layout {
  readonly #tree: Tree;
  readonly #columns: Columns;
  /** By index: the number of the block, and the first node in it. */
  readonly #metaBlocks: number[] = [];
  readonly #metaFirst: number[] = [];
  readonly #extents: number[] = [];
  readonly #open: MetaBlock[] = [];
  #blocks = 1;
  #inodes = 0;

  constructor(tree: Tree) {
    const { length } = tree;
    this.#tree = tree;
    this.#columns = {
      size: new Float64Array(length),
      links: new Uint32Array(length),
      meta: new Uint32Array(length),
      next: new Uint32Array(length),
      at: new Uint16Array(length),
      inline: new Uint16Array(length),
      block: new Uint32Array(length),
    };
    // The superblock says where the root is in 16 bits, so the first block of all has it.
    this.#extents.push(IS_META | 0);
    this.#begin(SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE);
    for (let node = 0; node < length; node++) {
      if (tree.firstOf(node) === node) this.#place(node);
    }
    for (const meta of this.#open.splice(0)) this.#close(meta);
  }

  get blocks(): number {
    return this.#blocks;
  }

  get inodes(): number {
    return this.#inodes;
  }

  /** Yields what follows what in the image. */
  *extents(): Generator<Extent> {
    for (const extent of this.#extents) {
      if (extent >= 0) yield { kind: 'content', placed: this.placed(extent) };
      else yield this.#metaExtent(extent & ~IS_META);
    }
  }

  /** Returns where a node lies. A further name of a file has the place of the first. */
  placed(index: number): Placed {
    const first = this.#tree.firstOf(index);
    const { size, links, meta, at, inline, block } = this.#columns;
    const node = this.#tree.at(first);
    return {
      index: first,
      node,
      size: size[first] ?? 0,
      xattrs: xattrsSize(node),
      meta: this.#metaBlocks[meta[first] ?? 0] ?? 0,
      at: at[first] ?? 0,
      inline: inline[first] ?? 0,
      block: block[first] ?? 0,
      links: links[first] ?? 0,
    };
  }

  /** Returns the number by which others know a node's inode: where it lies, in slots. */
  inodeNumber(index: number): number {
    const first = this.#tree.firstOf(index);
    const { meta, at } = this.#columns;
    const block = this.#metaBlocks[meta[first] ?? 0] ?? 0;
    return (block * BLOCK + (at[first] ?? 0)) / SLOT;
  }

  /** Returns the names of a directory, with itself and its parent. */
  namesIn(directory: number): readonly Name[] {
    const names = [...this.#tree.childrenOf(directory)];
    return withDots(names, directory, this.#tree.parentOf(directory));
  }

  #metaExtent(index: number): Extent {
    const { next } = this.#columns;
    function* nodes(first: number): Generator<number> {
      for (let node = first; ; ) {
        yield node;
        node = next[node] ?? 0;
        if (node === 0) return;
      }
    }
    const first = this.#metaFirst[index] ?? 0;
    return { kind: 'meta', block: this.#metaBlocks[index] ?? 0, nodes: nodes(first) };
  }

  #place(index: number): void {
    const node = this.#tree.at(index);
    const columns = this.#columns;
    const { size, links } = this.#measured(index, node);
    const head = INODE_SIZE + xattrsSize(node);
    const tail = size % BLOCK;
    const inline = head + tail <= BLOCK ? tail : 0;
    this.#settle(index, Math.ceil((head + inline) / SLOT) * SLOT);
    columns.size[index] = size;
    columns.links[index] = links;
    columns.inline[index] = inline;
    columns.block[index] = this.#blocks;
    const count = Math.ceil((size - inline) / BLOCK);
    this.#inodes++;
    this.#blocks += count;
    if (count > 0) this.#extents.push(index);
  }

  /** How long the content is, and how many names lead to the node: a directory's own, its parent's, and each directory in it. */
  #measured(index: number, node: TreeNode): { readonly size: number; readonly links: number } {
    if (node.kind === 'directory') {
      const names = this.namesIn(index);
      const links = names.filter(({ kind }) => kind === 'directory').length;
      return { size: directorySize(names), links };
    }
    const size = node.kind === 'link' ? Buffer.byteLength(node.target ?? '') : node.size;
    return { size, links: this.#tree.namesOf(index) };
  }

  /** Gives an inode the first block with room; if there is none, the fullest makes way for a new one. */
  #settle(index: number, size: number): void {
    let meta = this.#open.find(({ used }) => used + size <= BLOCK);
    if (meta === undefined) {
      if (this.#open.length === OPEN_BLOCKS) this.#closeFullest();
      meta = this.#begin(0);
    }
    const { meta: metas, next, at } = this.#columns;
    metas[index] = meta.index;
    at[index] = meta.used;
    if (meta.last < 0) this.#metaFirst[meta.index] = index;
    else next[meta.last] = index;
    meta.used += size;
    meta.last = index;
  }

  #begin(used: number): MetaBlock {
    const meta = { index: this.#metaBlocks.length, used, last: -1 };
    this.#metaBlocks.push(0);
    this.#metaFirst.push(ROOT);
    this.#open.push(meta);
    return meta;
  }

  #closeFullest(): void {
    const used = Math.max(...this.#open.map((meta) => meta.used));
    const [fullest] = this.#open.splice(
      this.#open.findIndex((meta) => meta.used === used),
      1,
    );
    if (fullest !== undefined) this.#close(fullest);
  }

  /** The first block of all has its place from the beginning. */
  #close({ index }: MetaBlock): void {
    if (index === 0) return;
    this.#metaBlocks[index] = this.#blocks++;
    this.#extents.push(IS_META | index);
  }
}
