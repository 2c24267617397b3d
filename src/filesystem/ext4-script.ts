/** The commands of debugfs(8) that fill an ext4 file system with a tree. */
import { basename, dirname } from 'node:path/posix';
import { EspError } from '../error.ts';
import { type DeviceNumber, KIND_BITS, type TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';
import type { Request } from './request.ts';
import type { Sources, Stage } from './staged.ts';

/** debugfs reads lines into memory of 8192 bytes. */
const MAX_LINE = 8000;
const MAX_DEVICE_NUMBER = 65_535;

/**
 * Yields the commands. `stage` makes files of what is in none. Sockets are left out: debugfs makes
 * none.
 * @throws {TREE_MALFORMED} when debugfs cannot be told: a name has a line break, a path is too long, a device too high
 */
export async function* ext4Script(
  { tree, time }: Pick<Request, 'tree' | 'time'>,
  sources: Sources,
  stage: Stage,
): AsyncGenerator<string> {
  for (const node of tree) {
    if (node.kind === 'socket') continue;
    const isFile = node.kind === 'file' && node.sameAs === undefined;
    const source = isFile ? await sources.of(node) : undefined;
    yield* made(node, source?.path ?? '');
    yield* owned(node, source?.mode);
    if (node.sameAs !== undefined) continue;
    for (const { name, value } of node.xattrs) {
      const file = await stage([value]);
      yield line('ea_set', '-f', file, node.path, name);
    }
  }
  yield* linkCounts(tree);
  yield* timed(tree, epoch(time));
}

/** Returns the time of the file system: e2fsprogs takes 0 for now. */
export function epoch(time: number): number {
  return time === 0 ? 1 : time;
}

function made(node: TreeNode, source: string): readonly string[] {
  const { path, kind, sameAs, target = '', device } = node;
  if (path === '/') return [];
  if (sameAs !== undefined) return [line('ln', sameAs, path)];
  switch (kind) {
    case 'file':
      return [line('write', source, path)];
    case 'directory':
      return [line('mkdir', path)];
    case 'link':
      return [line('symlink', path, target)];
    case 'fifo':
      return mknod(path, 'p');
    default:
      return mknod(path, kind === 'block' ? 'b' : 'c', ...deviceNumbers(path, device));
  }
}

function deviceNumbers(
  path: string,
  { major, minor }: DeviceNumber = { major: 0, minor: 0 },
): readonly string[] {
  if (Math.max(major, minor) <= MAX_DEVICE_NUMBER) return [String(major), String(minor)];
  throw new EspError(
    'TREE_MALFORMED',
    `${path}: device ${major}:${minor}: expected numbers of at most ${MAX_DEVICE_NUMBER}, because debugfs makes no other`,
  );
}

/** `mknod` alone takes its word for a name, slashes and all, in the directory where debugfs is. */
function mknod(path: string, ...words: readonly string[]): readonly string[] {
  return [line('cd', dirname(path)), line('mknod', basename(path), ...words), line('cd', '/')];
}

/** What a new node has differently from what debugfs gives it: root's, and the mode of the source. */
function owned(node: TreeNode, sourceMode: number | undefined): readonly string[] {
  const { path, kind, mode, uid, gid, sameAs } = node;
  if (sameAs !== undefined) return [];
  const given = kind === 'directory' ? 0o755 : sourceMode;
  const bits = `0${(KIND_BITS[kind] | mode).toString(8)}`;
  return [
    ...(mode === given ? [] : [line('sif', path, 'mode', bits)]),
    ...(uid === 0 ? [] : [line('sif', path, 'uid', String(uid))]),
    ...(gid === 0 ? [] : [line('sif', path, 'gid', String(gid))]),
  ];
}

/** `ln` of debugfs leaves the count of names as it was. */
function* linkCounts(tree: Tree): Generator<string> {
  for (let index = 0; index < tree.length; index++) {
    const count = tree.namesOf(index);
    if (count > 1) yield line('sif', tree.at(index).path, 'links_count', String(count));
  }
}

/** Times come last: what is put into a directory changes its own. */
function* timed(tree: Tree, time: number): Generator<string> {
  for (const { path, modified, sameAs, kind } of tree) {
    if (epoch(modified) === time || sameAs !== undefined || kind === 'socket') continue;
    yield line('sif', path, 'mtime', `@${modified}`);
  }
}

/** Returns one command. Quotes within quotes are doubled. */
function line(command: string, ...words: readonly string[]): string {
  const text = [command, ...words.map((word) => `"${word.replaceAll('"', '""')}"`)].join(' ');
  if (!/[\n\r\0]/.test(text) && Buffer.byteLength(text) <= MAX_LINE) return text;
  // Not a file that was staged meanwhile: whoever reads this knows the source, or the path of the image.
  const meant = words.find((word) => word.startsWith('/') && /[\n\r\0]/.test(word)) ?? words.at(-1);
  const shown = JSON.stringify(meant?.slice(0, 200));
  throw new EspError(
    'TREE_MALFORMED',
    `${shown}: expected a path without line breaks, of at most ${MAX_LINE / 2} bytes, because debugfs reads it as a line`,
  );
}
