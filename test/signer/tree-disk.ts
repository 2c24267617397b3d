/** A Disk over a few files in memory, whose owners and modes a test can choose without being root. */
import { posix } from 'node:path';
import type { Disk, FileStat } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';

/** What lies at one path. A directory is 755 and a file 600, both of root, unless told otherwise. */
export interface Node {
  readonly content?: string;
  /** Makes it a link. */
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
}

/** Returns a disk with these nodes by absolute path; a node without content or link is a directory. */
export function treeDisk(nodes: Readonly<Record<string, Node>>): Disk {
  const linkStat = (path: string) => statOf(nodes[path], path);
  const realPath = (path: string) => resolveLinks(nodes, path);
  return {
    linkStat,
    realPath,
    stat: (path) => linkStat(realPath(path) ?? ''),
    readLink: (path) => nodes[path]?.link,
    read(path) {
      const content = nodes[realPath(path) ?? '']?.content;
      if (content === undefined) throw new EspError('FILE_MISSING', path);
      return new TextEncoder().encode(content);
    },
    list: unused,
    open: unused,
    fileSystem: unused,
    hostPath: unused,
  };
}

function resolveLinks(nodes: Readonly<Record<string, Node>>, path: string): string | undefined {
  const names = path.split('/');
  let at = '/';
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = posix.resolve(at, name === '' ? '.' : name);
    const node = nodes[next];
    if ((node === undefined && next !== '/') || names.length > 200) return undefined;
    if (node?.link !== undefined) names.unshift(...node.link.split('/'));
    if (node?.link === undefined) at = next;
    else if (node.link.startsWith('/')) at = '/';
  }
  return at;
}

function unused(): never {
  throw new Error('a signer has no use for this');
}

function statOf(node: Node | undefined, path: string): FileStat | undefined {
  if (node === undefined) return path === '/' ? statOf({}, '') : undefined;
  const plain = node.content === undefined ? 'directory' : 'file';
  return {
    kind: node.link === undefined ? plain : 'link',
    size: node.content?.length ?? 0,
    mode: node.mode ?? (plain === 'file' ? 0o600 : 0o755),
    uid: node.uid ?? 0,
    device: 1,
    inode: 1,
    modified: 0,
    changed: 0,
  };
}
