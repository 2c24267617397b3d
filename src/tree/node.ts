/** A file, directory or link of a tree: its path, owner, mode, time, and where its content lies. */

/** Of which kind a node is. */
export type NodeKind = 'file' | 'directory' | 'link' | 'character' | 'block' | 'fifo' | 'socket';

/** What the mode of a file says of its kind (inode(7)). */
export const KIND_BITS: Readonly<Record<NodeKind, number>> = {
  file: 0o100000,
  directory: 0o040000,
  link: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
};

/** An extended attribute: its whole name, as `security.capability`, and its value. */
export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

/** Where the content of a file lies: in a file of the disk from an offset on, or in memory. */
export type Content =
  | { readonly path: string; readonly offset: number }
  | { readonly bytes: Uint8Array };

/** The number of a device. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** One name of the tree. */
export interface TreeNode {
  /** Absolute, without a slash at its end; the root is `/`. */
  readonly path: string;
  readonly kind: NodeKind;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** In whole seconds since the epoch. */
  readonly modified: number;
  /** The length of a file's content, in bytes; 0 for all else. */
  readonly size: number;
  /** Sorted by name. */
  readonly xattrs: readonly Xattr[];
  /** Of a link: where it leads. */
  readonly target?: string;
  /** Of a character or block device. */
  readonly device?: DeviceNumber;
  /** Of a file, unless it is empty. */
  readonly content?: Content;
  /** The first path of the same file, where hard links are kept; all else is as there. */
  readonly sameAs?: string;
}

const encoder = new TextEncoder();
const ASCII = /^[\0-\x7f]*$/;

/** Orders names by their bytes in UTF-8, which for characters beyond the first plane is not the order of UTF-16. */
export function compareNames(a: string, b: string): number {
  if (ASCII.test(a) && ASCII.test(b)) return a < b ? -1 : Number(a > b);
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  const at = left.findIndex((byte, index) => byte !== right[index]);
  if (at < 0) return left.length - right.length;
  return (left[at] ?? 0) - (right[at] ?? -1);
}

/** Returns the path of the directory that holds a path; the root holds itself. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
