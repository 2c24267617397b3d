/** Extended attributes behind an inode. */
import { EspError } from '../error.ts';
import type { TreeNode, Xattr } from '../tree/node.ts';
import {
  BLOCK,
  INODE_SIZE,
  XATTR_ALIGNMENT,
  XATTR_ENTRY,
  XATTR_HEADER,
  XATTR_PREFIXES,
} from './format.ts';

/** Returns how many bytes the attributes of a node take behind its inode. */
export function xattrsSize({ path, xattrs }: TreeNode): number {
  if (xattrs.length === 0) return 0;
  const size = xattrs.reduce((sum, xattr) => sum + entrySize(xattr, path), XATTR_HEADER);
  if (size <= BLOCK - INODE_SIZE) return size;
  throw unfit(path, `extended attributes of at most ${BLOCK - INODE_SIZE} bytes in all`, size);
}

/** Writes the attributes. `bytes` has the size that {@link xattrsSize} gives. */
export function writeXattrs({ path, xattrs }: TreeNode, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = XATTR_HEADER;
  for (const xattr of xattrs) {
    const { index, suffix } = split(xattr, path);
    view.setUint8(at, suffix.length);
    view.setUint8(at + 1, index);
    view.setUint16(at + 2, xattr.value.length, true);
    bytes.set(suffix, at + XATTR_ENTRY);
    bytes.set(xattr.value, at + XATTR_ENTRY + suffix.length);
    at += entrySize(xattr, path);
  }
}

/** Returns what an inode says of attributes of a size: it counts the first header as one. */
export function xattrCount(size: number): number {
  return size === 0 ? 0 : (size - XATTR_HEADER) / XATTR_ALIGNMENT + 1;
}

function entrySize(xattr: Xattr, path: string): number {
  const size = XATTR_ENTRY + split(xattr, path).suffix.length + xattr.value.length;
  return Math.ceil(size / XATTR_ALIGNMENT) * XATTR_ALIGNMENT;
}

function split({ name }: Xattr, path: string): { index: number; suffix: Uint8Array } {
  const found = XATTR_PREFIXES.find(([prefix]) => name.startsWith(prefix));
  if (found === undefined) {
    const prefixes = XATTR_PREFIXES.map(([prefix]) => prefix).join(', ');
    throw unfit(path, `an extended attribute of ${prefixes}`, JSON.stringify(name));
  }
  return { index: found[1], suffix: new TextEncoder().encode(name.slice(found[0].length)) };
}

function unfit(path: string, expected: string, got: string | number): EspError {
  return new EspError('TREE_MALFORMED', `${path}: expected ${expected}, got ${got}`, {
    hint: 'EROFS has no more; choose another file system, or leave the attribute out',
  });
}
