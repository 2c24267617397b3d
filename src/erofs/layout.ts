/**
 * Where everything lies in an EROFS image. Sizes alone decide, so that the layout is known before
 * a content is read.
 */
import { nameOf, parentOf, type Tree, type TreeNode } from '../tree/node.ts';
import { directorySize, type Name, withDots } from './directory.ts';
import { BLOCK, INODE_SIZE, SLOT, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from './format.ts';
import { xattrsSize } from './xattrs.ts';

/** Where the inode and the content of a node lie. */
export interface Placed {
  readonly node: TreeNode;
  /** The length of the content in bytes: of a file, a directory or the target of a link. */
  readonly size: number;
  readonly xattrs: number;
  /** The block of metadata that has the inode, and where in it: bytes. */
  readonly meta: MetaBlock;
  readonly at: number;
  /** How many bytes of the content lie behind the inode. */
  readonly inline: number;
  /** The first block of the rest of the content. */
  readonly block: number;
  readonly links: number;
  /** The sorted names of a directory. */
  readonly names?: readonly Name[];
}

/** A block of inodes. Its own number is known once it is full. */
export interface MetaBlock {
  block: number;
  used: number;
  readonly members: Placed[];
}

/** What follows what in the image: blocks of a node's content, or a block of metadata. */
export type Extent =
  | { readonly kind: 'content'; readonly placed: Placed; readonly blocks: number }
  | { readonly kind: 'meta'; readonly meta: MetaBlock };

/** A whole image. */
export interface Layout {
  /** By the node's index in the tree. A further name of a file has the place of the first. */
  readonly placed: readonly Placed[];
  readonly extents: readonly Extent[];
  readonly blocks: number;
  readonly inodes: number;
}

/** How many blocks of metadata are filled at once: more waste less, and are looked through longer. */
const OPEN_BLOCKS = 32;

/** Returns the layout of a tree. */
export function layOut(tree: Tree): Layout {
  const names = namesByDirectory(tree);
  const links = linksOf(tree);
  const indexes = new Map(tree.map(({ path }, index) => [path, index]));
  const blocks = new Blocks();
  const placed: Placed[] = [];
  for (const [index, node] of tree.entries()) {
    const same = node.sameAs === undefined ? undefined : indexes.get(node.sameAs);
    const first = same === undefined ? undefined : placed[same];
    if (first !== undefined) {
      placed.push(first);
      continue;
    }
    const parent = indexes.get(parentOf(node.path)) ?? 0;
    const own = names.get(node.path);
    const all = own === undefined ? undefined : withDots(own, index, parent);
    placed.push(blocks.place(node, links.get(node.path) ?? 1, all));
  }
  return { placed, ...blocks.finish() };
}

/** Returns the number by which others know an inode: where it lies, in slots. */
export function inodeNumber({ meta, at }: Placed): number {
  return (meta.block * BLOCK + at) / SLOT;
}

/** Hands out blocks in their order, and places in blocks of metadata. */
class Blocks {
  readonly #extents: Extent[] = [];
  readonly #open: MetaBlock[] = [];
  #next = 1;
  #inodes = 0;

  constructor() {
    // The superblock says where the root is in 16 bits, so the first block of all has it.
    const first = { block: 0, used: SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE, members: [] };
    this.#open.push(first);
    this.#extents.push({ kind: 'meta', meta: first });
  }

  place(node: TreeNode, links: number, names: readonly Name[] | undefined): Placed {
    this.#inodes++;
    const size = contentSize(node, names);
    const xattrs = xattrsSize(node);
    const head = INODE_SIZE + xattrs;
    const tail = size % BLOCK;
    const inline = head + tail <= BLOCK ? tail : 0;
    const { meta, at } = this.#room(Math.ceil((head + inline) / SLOT) * SLOT);
    const count = Math.ceil((size - inline) / BLOCK);
    const block = this.#next;
    const kept = names === undefined ? {} : { names };
    const placed: Placed = { node, size, xattrs, meta, at, inline, block, links, ...kept };
    meta.members.push(placed);
    this.#next += count;
    if (count > 0) this.#extents.push({ kind: 'content', placed, blocks: count });
    return placed;
  }

  finish(): Pick<Layout, 'extents' | 'blocks' | 'inodes'> {
    for (const meta of this.#open.splice(0)) this.#close(meta);
    return { extents: this.#extents, blocks: this.#next, inodes: this.#inodes };
  }

  /** Takes the first block with room; if there is none, the fullest makes way for a new one. */
  #room(size: number): { readonly meta: MetaBlock; readonly at: number } {
    let meta = this.#open.find(({ used }) => used + size <= BLOCK);
    if (meta === undefined) {
      if (this.#open.length === OPEN_BLOCKS) this.#closeFullest();
      meta = { block: 0, used: 0, members: [] };
      this.#open.push(meta);
    }
    const at = meta.used;
    meta.used += size;
    return { meta, at };
  }

  #closeFullest(): void {
    const used = Math.max(...this.#open.map((meta) => meta.used));
    const [fullest] = this.#open.splice(
      this.#open.findIndex((meta) => meta.used === used),
      1,
    );
    if (fullest !== undefined) this.#close(fullest);
  }

  #close(meta: MetaBlock): void {
    const isFirst = this.#extents[0]?.kind === 'meta' && this.#extents[0].meta === meta;
    if (isFirst) return;
    meta.block = this.#next++;
    this.#extents.push({ kind: 'meta', meta });
  }
}

function contentSize(node: TreeNode, names: readonly Name[] | undefined): number {
  if (names !== undefined) return directorySize(names);
  return node.kind === 'link' ? Buffer.byteLength(node.target ?? '') : node.size;
}

function namesByDirectory(tree: Tree): ReadonlyMap<string, readonly Name[]> {
  const names = new Map<string, Name[]>();
  for (const [node, { path, kind }] of tree.entries()) {
    if (kind === 'directory') names.set(path, []);
    if (path !== '/') names.get(parentOf(path))?.push({ name: nameOf(path), node, kind });
  }
  return names;
}

/** How many names lead to each node: a directory's own and its parent's, and each directory in it. */
function linksOf(tree: Tree): ReadonlyMap<string, number> {
  const links = new Map<string, number>();
  const add = (path: string, count: number) => links.set(path, (links.get(path) ?? 0) + count);
  for (const { path, kind, sameAs } of tree) {
    add(sameAs ?? path, kind === 'directory' ? 2 : 1);
    if (kind === 'directory' && path !== '/') add(parentOf(path), 1);
  }
  return links;
}
