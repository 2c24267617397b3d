/** Makes the bytes of an EROFS image, in their order, from a layout and the contents. */

import { type DeviceNumber, KIND_BITS, type TreeNode } from '../tree/node.ts';
import { writeDirectory } from './directory.ts';
import { BLOCK, EXTENDED, INODE, INODE_SIZE, PLAIN, TAIL_INLINE } from './format.ts';
import type { Extent, Layout, Placed } from './layout.ts';
import { type Identity, writeSuperblock } from './superblock.ts';
import { writeXattrs, xattrCount } from './xattrs.ts';

/** Fills memory with the bytes of a file from an offset on. */
export type ReadContent = (node: TreeNode, offset: number, memory: Uint8Array) => void;

/** In bytes: whole blocks, and few enough of them to stay in the processor's cache. */
const PIECE = 64 * BLOCK;

/**
 * Yields the image from its first byte to its last, in pieces of 256 KiB, the last one shorter but
 * of whole blocks of 4096 bytes. A piece is valid until the next is asked for. Each content is read
 * once. The same layout, identity and contents give the same bytes.
 * @throws {CONFIG_INVALID} when the label is too long
 */
export function* erofsImage(
  layout: Layout,
  identity: Identity,
  read: ReadContent,
): Generator<Uint8Array> {
  const image = new Image(layout, identity, read);
  const memory = new Uint8Array(PIECE);
  let used = 0;
  for (const extent of layout.extents()) {
    const blocks = extent.kind === 'meta' ? 1 : blocksOf(extent.placed);
    const size = blocks * BLOCK;
    for (let done = 0; done < size; ) {
      const count = Math.min(size - done, PIECE - used);
      image.fill(extent, done, memory.subarray(used, used + count));
      done += count;
      used += count;
      if (used < PIECE) continue;
      yield memory;
      used = 0;
    }
  }
  if (used > 0) yield memory.subarray(0, used);
}

/** An image while it is made. It keeps the blocks of metadata that are not full yet. */
class Image {
  readonly #layout: Layout;
  readonly #identity: Identity;
  readonly #read: ReadContent;
  readonly #open = new Map<number, Uint8Array>();
  /** Memory of blocks that are written: an image has many thousands of them. */
  readonly #free: Uint8Array[] = [];

  constructor(layout: Layout, identity: Identity, read: ReadContent) {
    this.#layout = layout;
    this.#identity = identity;
    this.#read = read;
  }

  /** Fills memory with a part of an extent, from an offset on. */
  fill(extent: Extent, offset: number, memory: Uint8Array): void {
    if (extent.kind === 'meta') {
      const bytes = this.#metadata(extent);
      memory.set(bytes);
      this.#free.push(bytes.fill(0));
      return;
    }
    const { placed } = extent;
    const whole = placed.size - placed.inline;
    const part = memory.subarray(0, Math.min(memory.length, whole - offset));
    memory.fill(0, part.length);
    this.#content(placed, offset, part);
    // While the file is open, its tail is read for the block that is not written yet.
    if (offset + part.length === whole && comesBefore(placed)) this.#tail(placed);
  }

  #metadata({ block, nodes }: Extract<Extent, { kind: 'meta' }>): Uint8Array {
    const bytes = this.#block(block);
    this.#open.delete(block);
    for (const index of nodes) {
      const placed = this.#layout.placed(index);
      this.#inode(placed, bytes);
      const isRead = block > 0 && placed.size > placed.inline;
      if (placed.inline > 0 && !isRead) this.#tail(placed, bytes);
    }
    if (block === 0) writeSuperblock(bytes, this.#layout, this.#identity);
    return bytes;
  }

  #block(meta: number): Uint8Array {
    const there = this.#open.get(meta);
    if (there !== undefined) return there;
    const bytes = this.#free.pop() ?? new Uint8Array(BLOCK);
    this.#open.set(meta, bytes);
    return bytes;
  }

  #tail(placed: Placed, bytes = this.#block(placed.meta)): void {
    const at = placed.at + INODE_SIZE + placed.xattrs;
    const memory = bytes.subarray(at, at + placed.inline);
    this.#content(placed, placed.size - placed.inline, memory);
  }

  #content({ index, node, size }: Placed, offset: number, memory: Uint8Array): void {
    if (node.kind === 'file') {
      this.#read(node, offset, memory);
      return;
    }
    const bytes = new Uint8Array(size);
    const layout = this.#layout;
    if (node.kind !== 'directory') bytes.set(new TextEncoder().encode(node.target));
    else writeDirectory(layout.namesIn(index), (other) => layout.inodeNumber(other), bytes);
    memory.set(bytes.subarray(offset, offset + memory.length));
  }

  #inode(placed: Placed, bytes: Uint8Array): void {
    const { index, node, size, xattrs, at, inline, block, links } = placed;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, INODE_SIZE);
    const hasBlocks = size > inline;
    view.setUint16(INODE.format, EXTENDED | (inline > 0 ? TAIL_INLINE : PLAIN), true);
    view.setUint16(INODE.xattrs, xattrCount(xattrs), true);
    view.setUint16(INODE.mode, KIND_BITS[node.kind] | node.mode, true);
    view.setBigUint64(INODE.size, BigInt(size), true);
    const place = node.device === undefined ? (hasBlocks ? block : 0) : deviceBits(node.device);
    view.setUint32(INODE.place, place, true);
    view.setUint32(INODE.number, (this.#layout.inodeNumber(index) + 1) >>> 0, true);
    view.setUint32(INODE.uid, node.uid, true);
    view.setUint32(INODE.gid, node.gid, true);
    view.setBigInt64(INODE.time, BigInt(node.modified), true);
    view.setUint32(INODE.links, links, true);
    if (xattrs > 0) writeXattrs(node, bytes.subarray(at + INODE_SIZE, at + INODE_SIZE + xattrs));
  }
}

/** Returns how many blocks the content takes that does not lie behind the inode. */
function blocksOf({ size, inline }: Placed): number {
  return Math.ceil((size - inline) / BLOCK);
}

/** The first block of all comes before every content. */
function comesBefore({ inline, meta }: Placed): boolean {
  return inline > 0 && meta > 0;
}

/** The number of a device as the kernel packs it (new_encode_dev). */
function deviceBits({ major, minor }: DeviceNumber): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
