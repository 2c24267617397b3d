/** The commands of debugfs(8) that fill an ext4 file system with a tree. */
import { EspError } from '../error.ts';
import { KIND_BITS, parentOf, type TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';
import type { Request } from './request.ts';
import type { Sources, Stage } from './staged.ts';

/** debugfs reads lines into memory of 8192 bytes. */
const MAX_LINE = 8000;

/**
 * Yields the commands. `stage` makes files of what is in none. Sockets are left out: debugfs makes
 * none. A name is looked up in its own directory: debugfs keeps eight blocks in memory, and would read
 * and write anew those of every directory above it.
 * @throws {TREE_MALFORMED} when a name has a line break, or a path is too long for debugfs
 */
export async function* ext4Script(
  { tree, time }: Pick<Request, 'tree' | 'time'>,
  sources: Sources,
  stage: Stage,
): AsyncGenerator<string> {
  let here = '/';
  for (const node of tree) {
    if (node.kind === 'socket') continue;
    const above = parentOf(node.path);
    if (above !== here) yield line(above, 'cd', above);
    here = above;
    if (node.sameAs !== undefined) yield line(node.path, 'ln', node.sameAs, node.path);
    else yield* filled(node, sources, stage);
    if (node.kind !== 'directory') yield* timed(node, epoch(time));
  }
  yield* linkCounts(tree);
  // What is put into a directory changes its time.
  for (const node of tree) if (node.kind === 'directory') yield* timed(node, epoch(time));
}

async function* filled(node: TreeNode, sources: Sources, stage: Stage): AsyncGenerator<string> {
  const source = node.kind === 'file' ? await sources.of(node) : undefined;
  yield* made(node, source?.path ?? '');
  yield* owned(node, source?.mode);
  for (const { name, value } of node.xattrs) {
    yield line(node.path, 'ea_set', '-f', await stage([value]), called(node), name);
  }
}

/** Returns the time of the file system: e2fsprogs takes 0 for now. */
export function epoch(time: number): number {
  return time === 0 ? 1 : time;
}

/** Returns the commands that make a node in the directory where debugfs is. */
function made(node: TreeNode, source: string): readonly string[] {
  const { path, kind, target = '', device } = node;
  if (path === '/') return [];
  const name = nameOf(path);
  switch (kind) {
    case 'file':
      return [line(path, 'write', source, name)];
    case 'directory':
      return [line(path, 'mkdir', name)];
    case 'link':
      return [line(path, 'symlink', name, target)];
    case 'fifo':
      return [line(path, 'mknod', name, 'p')];
    default: {
      const letter = kind === 'block' ? 'b' : 'c';
      const { major = 0, minor = 0 } = device ?? {};
      return [line(path, 'mknod', name, letter, String(major), String(minor))];
    }
  }
}

/** What a new node has differently from what debugfs gives it: root's, and the mode of the source. */
function owned(node: TreeNode, sourceMode: number | undefined): readonly string[] {
  const { kind, mode, uid, gid } = node;
  const given = kind === 'directory' ? 0o755 : sourceMode;
  const bits = `0${(KIND_BITS[kind] | mode).toString(8)}`;
  return [
    ...(mode === given ? [] : [set(node, 'mode', bits)]),
    ...(uid === 0 ? [] : [set(node, 'uid', String(uid))]),
    ...(gid === 0 ? [] : [set(node, 'gid', String(gid))]),
  ];
}

/** `ln` of debugfs leaves the count of names as it was. */
function* linkCounts(tree: Tree): Generator<string> {
  for (let index = 0; index < tree.length; index++) {
    const count = tree.namesOf(index);
    if (count === 1) continue;
    const { path } = tree.at(index);
    yield line(path, 'sif', path, 'links_count', String(count));
  }
}

function timed(node: TreeNode, time: number): readonly string[] {
  const isTold = epoch(node.modified) === time || node.sameAs !== undefined;
  return isTold ? [] : [set(node, 'mtime', `@${node.modified}`)];
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

/** Returns one command for a path. Quotes within quotes are doubled. */
function line(path: string, command: string, ...words: readonly string[]): string {
  const text = [command, ...words.map((word) => `"${word.replaceAll('"', '""')}"`)].join(' ');
  if (!/[\n\r\0]/.test(text) && Buffer.byteLength(text) <= MAX_LINE) return text;
  throw new EspError(
    'TREE_MALFORMED',
    `${JSON.stringify(path.slice(0, 200))}: expected a path without line breaks, of at most ${MAX_LINE / 2} bytes, because debugfs reads it as a line`,
  );
}
