/** Writes a tree as a tar stream: ustar, with pax headers for what ustar cannot say (POSIX.1 pax). */
import type { ContentReader } from './content-reader.ts';
import type { TreeNode } from './node.ts';
import { formatPax, formatXattr } from './pax.ts';
import { BLOCK, FIELD, type Field, MAGIC } from './tar-header.ts';

/** The largest number in seven octal digits, and in eleven. */
const MAX_ID = 0o777_7777;
const MAX_SIZE = 0o777_7777_7777;
const PIECE = 256 * 1024;

const TYPES: Readonly<Record<TreeNode['kind'], string>> = {
  file: '0',
  link: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  socket: '',
};
const HARD_LINK = '1';

/**
 * Yields a tar stream of the nodes of a tree. Names have no slash before them; a directory's ends in one. The
 * root is `./`. Sockets are left out: tar knows none, and nobody listens on one in an image.
 */
export function* tarStream(
  nodes: Iterable<TreeNode>,
  reader: ContentReader,
): Generator<Uint8Array> {
  for (const node of nodes) {
    if (node.kind === 'socket') continue;
    yield head(node);
    if (node.sameAs !== undefined) continue;
    for (let at = 0; at < node.size; at += PIECE) {
      const length = Math.min(PIECE, node.size - at);
      // A pipe may still hold what was yielded before, so that each piece has its own memory.
      const piece = new Uint8Array(Math.ceil(length / BLOCK) * BLOCK);
      reader.readInto(node, at, piece.subarray(0, length));
      yield piece;
    }
  }
  yield new Uint8Array(2 * BLOCK);
}

function head(node: TreeNode): Uint8Array {
  const name = memberName(node.path, node.kind === 'directory');
  const target = node.sameAs === undefined ? (node.target ?? '') : memberName(node.sameAs, false);
  const size = node.sameAs === undefined ? node.size : 0;
  const records = [
    ...(isLong(name) ? [formatPax('path', name)] : []),
    ...(isLong(target) ? [formatPax('linkpath', target)] : []),
    ...(size > MAX_SIZE ? [formatPax('size', String(size))] : []),
    ...(node.uid > MAX_ID ? [formatPax('uid', String(node.uid))] : []),
    ...(node.gid > MAX_ID ? [formatPax('gid', String(node.gid))] : []),
    ...(node.modified < 0 || node.modified > MAX_SIZE
      ? [formatPax('mtime', String(node.modified))]
      : []),
    ...(node.sameAs === undefined ? node.xattrs.map(formatXattr) : []),
  ];
  const type = node.sameAs === undefined ? TYPES[node.kind] : HARD_LINK;
  const own = header(node, { name, target, size, type });
  if (records.length === 0) return own;
  const body = Buffer.concat(records);
  const padding = new Uint8Array(-body.length & (BLOCK - 1));
  const plain = { ...node, mode: 0o644, uid: 0, gid: 0, modified: 0 };
  const extended = { name: '././@PaxHeader', target: '', size: body.length, type: 'x' };
  return Buffer.concat([header(plain, extended), body, padding, own]);
}

function memberName(path: string, isDirectory: boolean): string {
  if (path === '/') return './';
  return `${path.slice(1)}${isDirectory ? '/' : ''}`;
}

function isLong(name: string): boolean {
  const [, room] = FIELD.name;
  return name.length > room || Buffer.byteLength(name) > room;
}

interface Fields {
  readonly name: string;
  readonly target: string;
  readonly size: number;
  readonly type: string;
}

/** Returns a ustar header. */
function header(node: TreeNode, { name, target, size, type }: Fields): Uint8Array {
  const bytes = Buffer.alloc(BLOCK);
  const put = (text: string, [at, length]: Field): void => {
    bytes.set(Buffer.from(text).subarray(0, length), at);
  };
  // A NUL ends the digits.
  const octal = (value: number, field: Field, max: number): void => {
    const shown = value < 0 || value > max ? 0 : value;
    put(shown.toString(8).padStart(field[1] - 1, '0'), field);
  };
  put(name, FIELD.name);
  octal(node.mode, FIELD.mode, MAX_ID);
  octal(node.uid, FIELD.uid, MAX_ID);
  octal(node.gid, FIELD.gid, MAX_ID);
  octal(size, FIELD.size, MAX_SIZE);
  octal(node.modified, FIELD.modified, MAX_SIZE);
  put(' '.repeat(8), FIELD.checksum);
  put(type, FIELD.type);
  put(target, FIELD.target);
  put(MAGIC, FIELD.magic);
  put('00', FIELD.version);
  octal(node.device?.major ?? 0, FIELD.major, MAX_ID);
  octal(node.device?.minor ?? 0, FIELD.minor, MAX_ID);
  const sum = bytes.reduce((all, byte) => all + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, FIELD.checksum);
  return bytes;
}
