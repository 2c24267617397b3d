/** The commands of debugfs(8) that fill an ext4 file system with a tree. */
import { EspError } from '../error.ts';
import { type DeviceNumber, KIND_BITS, parentOf, type TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';
import type { Request } from './request.ts';
import type { Source, Sources, Stage } from './staged.ts';

/** debugfs reads lines into memory of 8192 bytes. */
const MAX_LINE = 8000;
const MAX_DEVICE_NUMBER = 65_535;
/** Of commands, in characters. */
const PIECE = 64 * 1024;

/**
 * Yields the commands in lines, many in one piece: a write of each would take longer than debugfs does.
 * `stage` makes files of what is in none. Sockets are left out: debugfs makes none. A name is looked up
 * in its own directory: debugfs keeps eight blocks in memory, and would read and write anew those of
 * every directory above it.
 * @throws {TREE_MALFORMED} when debugfs cannot be told: a name has a line break, a path is too long, a device too high
 */
export async function* ext4Script(
  { tree, time }: Pick<Request, 'tree' | 'time'>,
  sources: Sources,
  stage: Stage,
): AsyncGenerator<Uint8Array> {
  let text = '';
  let here = '/';
  // What is put into a directory changes its time.
  let directoryTimes = '';
  for (const node of tree) {
    if (node.kind === 'socket') continue;
    const above = parentOf(node.path);
    if (above !== here) text += line(above, 'cd', above);
    here = above;
    // Nearly every file is there already. To wait for each would cost as much as all else here.
    const found = isOwnFile(node) ? sources.of(node) : undefined;
    const source = found instanceof Promise ? await found : found;
    const values = node.xattrs.length === 0 ? [] : await staged(node, stage);
    text += commandsFor(node, { source, values });
    if (node.kind === 'directory') directoryTimes += timed(node, epoch(time));
    else text += timed(node, epoch(time));
    if (text.length < PIECE) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text + linkCounts(tree) + directoryTimes);
}

function isOwnFile({ kind, sameAs }: TreeNode): boolean {
  return kind === 'file' && sameAs === undefined;
}

/** Returns the paths of files that hold the values of attributes. */
async function staged({ xattrs }: TreeNode, stage: Stage): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const { value } of xattrs) paths.push(await stage([value]));
  return paths;
}

/** What the commands for a node name: the files of its content and of its attributes. */
interface Given {
  readonly source: Source | undefined;
  readonly values: readonly string[];
}

function commandsFor(node: TreeNode, { source, values }: Given): string {
  const { path, sameAs, xattrs } = node;
  if (sameAs !== undefined) return line(path, 'ln', sameAs, path);
  const attributes = xattrs.map(({ name }, at) =>
    line(path, 'ea_set', '-f', values[at] ?? '', called(node), name),
  );
  return [made(node, source?.path ?? ''), owned(node, source?.mode), ...attributes].join('');
}

/** Returns the time of the file system: e2fsprogs takes 0 for now. */
export function epoch(time: number): number {
  return time === 0 ? 1 : time;
}

/** Returns the command that makes a node in the directory where debugfs is. */
function made(node: TreeNode, source: string): string {
  const { path, kind, target = '', device } = node;
  if (path === '/') return '';
  const name = nameOf(path);
  switch (kind) {
    case 'file':
      return line(path, 'write', source, name);
    case 'directory':
      return line(path, 'mkdir', name);
    case 'link':
      return line(path, 'symlink', name, target);
    case 'fifo':
      return line(path, 'mknod', name, 'p');
    default: {
      const letter = kind === 'block' ? 'b' : 'c';
      return line(path, 'mknod', name, letter, ...deviceNumbers(path, device));
    }
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

/** What a new node has differently from what debugfs gives it: root's, and the mode of the source. */
function owned(node: TreeNode, sourceMode: number | undefined): string {
  const { kind, mode, uid, gid } = node;
  const given = kind === 'directory' ? 0o755 : sourceMode;
  const bits = `0${(KIND_BITS[kind] | mode).toString(8)}`;
  return [
    mode === given ? '' : set(node, 'mode', bits),
    uid === 0 ? '' : set(node, 'uid', String(uid)),
    gid === 0 ? '' : set(node, 'gid', String(gid)),
  ].join('');
}

/** `ln` of debugfs leaves the count of names as it was. */
function linkCounts(tree: Tree): string {
  let text = '';
  for (let index = 0; index < tree.length; index++) {
    const count = tree.namesOf(index);
    if (count === 1) continue;
    const { path } = tree.at(index);
    text += line(path, 'sif', path, 'links_count', String(count));
  }
  return text;
}

function timed(node: TreeNode, time: number): string {
  const isTold = epoch(node.modified) === time || node.sameAs !== undefined;
  return isTold ? '' : set(node, 'mtime', `@${node.modified}`);
}

/** Returns the command that sets a field of a node's inode. */
function set(node: TreeNode, field: string, value: string): string {
  return line(node.path, 'sif', called(node), field, value);
}

/** Returns what debugfs finds a node by. It takes a name like `<12>` alone for the number of an inode. */
function called({ kind, path }: TreeNode): string {
  return kind === 'directory' ? path : `./${nameOf(path)}`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Returns one command for a path, with its end. Quotes within quotes are doubled. */
function line(path: string, command: string, ...words: readonly string[]): string {
  const text = [command, ...words.map((word) => `"${word.replaceAll('"', '""')}"`)].join(' ');
  if (!/[\n\r\0]/.test(text) && Buffer.byteLength(text) <= MAX_LINE) return `${text}\n`;
  throw new EspError(
    'TREE_MALFORMED',
    `${JSON.stringify(path.slice(0, 200))}: expected a path without line breaks, of at most ${MAX_LINE / 2} bytes, because debugfs reads it as a line`,
  );
}
