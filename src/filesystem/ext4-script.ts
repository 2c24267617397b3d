/** The commands of debugfs(8) that fill an ext4 file system with a tree. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { KIND_BITS, type Tree, type TreeNode } from '../tree/node.ts';
import type { Request } from './request.ts';
import type { Stage } from './staged.ts';

/** debugfs reads lines into memory of 8192 bytes. */
const MAX_LINE = 8000;

/**
 * Returns the commands. `paths` has the path of each file's content for debugfs, as `stage` gives
 * one to what lies nowhere yet. Sockets are left out: debugfs makes none.
 * @throws {TREE_MALFORMED} when a name has a line break, or a path is too long for debugfs
 */
export async function ext4Script(
  { tree, time }: Pick<Request, 'tree' | 'time'>,
  paths: ReadonlyMap<TreeNode, string>,
  disk: Disk,
  stage: Stage,
): Promise<readonly string[]> {
  const empty = tree.some((node) => isEmptyFile(node)) ? await stage([]) : '';
  const commands: string[] = [];
  for (const node of tree) {
    if (node.kind === 'socket') continue;
    const source = paths.get(node) ?? empty;
    commands.push(...made(node, source), ...owned(node, source, disk));
    if (node.sameAs !== undefined) continue;
    for (const { name, value } of node.xattrs) {
      const file = await stage([value]);
      commands.push(line('ea_set', '-f', file, node.path, name));
    }
  }
  return [...commands, ...linkCounts(tree), ...timed(tree, Math.max(1, time))];
}

function isEmptyFile({ kind, content, sameAs }: TreeNode): boolean {
  return kind === 'file' && content === undefined && sameAs === undefined;
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
      return [line('mknod', path, 'p')];
    default: {
      const letter = kind === 'block' ? 'b' : 'c';
      return [line('mknod', path, letter, String(device?.major ?? 0), String(device?.minor ?? 0))];
    }
  }
}

/** What a new node has differently from what debugfs gives it: root's, and the mode of the source. */
function owned(node: TreeNode, source: string, disk: Disk): readonly string[] {
  const { path, kind, mode, uid, gid, sameAs } = node;
  if (sameAs !== undefined) return [];
  const given =
    kind === 'directory' ? 0o755 : kind === 'file' ? sourceMode(source, disk) : undefined;
  const bits = `0${(KIND_BITS[kind] | mode).toString(8)}`;
  return [
    ...(mode === given ? [] : [line('sif', path, 'mode', bits)]),
    ...(uid === 0 ? [] : [line('sif', path, 'uid', String(uid))]),
    ...(gid === 0 ? [] : [line('sif', path, 'gid', String(gid))]),
  ];
}

function sourceMode(source: string, disk: Disk): number | undefined {
  const mode = disk.stat(source)?.mode;
  return mode === undefined ? undefined : mode & 0o7777;
}

/** `ln` of debugfs leaves the count of names as it was. */
function linkCounts(tree: Tree): readonly string[] {
  const further = tree.flatMap(({ sameAs }) => (sameAs === undefined ? [] : [sameAs]));
  const counts = Map.groupBy(further, (path) => path);
  return [...counts].map(([path, names]) =>
    line('sif', path, 'links_count', String(names.length + 1)),
  );
}

/** Times come last: what is put into a directory changes its own. */
function timed(tree: Tree, time: number): readonly string[] {
  return tree
    .filter(
      ({ modified, sameAs, kind }) =>
        modified !== time && sameAs === undefined && kind !== 'socket',
    )
    .map(({ path, modified }) => line('sif', path, 'mtime', `@${modified}`));
}

/** Returns one command. Quotes within quotes are doubled. */
function line(command: string, ...words: readonly string[]): string {
  const text = [command, ...words.map((word) => `"${word.replaceAll('"', '""')}"`)].join(' ');
  if (!/[\n\r\0]/.test(text) && Buffer.byteLength(text) <= MAX_LINE) return text;
  const shown = JSON.stringify(words.find((word) => word.startsWith('/'))?.slice(0, 200));
  throw new EspError(
    'TREE_MALFORMED',
    `${shown}: expected a path without line breaks, of at most ${MAX_LINE / 2} bytes, because debugfs reads it as a line`,
  );
}
