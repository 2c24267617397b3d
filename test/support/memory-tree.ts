/** Files, directories and links in memory: a FAT of bounded size mounted on a store without bounds. */
import { Content, Names, type Random } from './fat-model.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly inode: number;
  readonly content: Content;
  modified: number;
  clusters: number;
  /** How many names lead here. It is more than one only after a crash during a rename. */
  names: number;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly inode: number;
  readonly names: Names<Node>;
  readonly volume: Volume;
  modified: number;
  clusters: number;
  /** The root of the file system that is mounted here. */
  mounted?: DirectoryNode;
}

export interface LinkNode {
  readonly kind: 'link';
  readonly inode: number;
  readonly target: string;
  readonly modified: number;
}

export type Node = FileNode | DirectoryNode | LinkNode;

/** The result of following a path: the directory, the name in it, and what has the name now. */
export interface Place {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: Node | undefined;
  /** The path with every link resolved. */
  readonly path: string;
}

/** Throws an error with an error number, as the kernel would. */
export function fail(code: string): never {
  throw Object.assign(new Error(`${code} (memory disk)`), { code });
}

/** Bytes per directory slot, and characters of a long name per slot (FAT §Directory entries). */
const SLOT = 32;
const NAME_PER_SLOT = 13;

let lastInode = 1;

/** One file system. */
export class Volume {
  readonly root: DirectoryNode;
  readonly device: number;
  readonly fat: boolean;
  readonly directorySizes: boolean;
  readonly clusterSize: number;
  readonly total: number;
  #used = 0;
  /** Files whose removal is not durable yet, by the directory that still may name them. */
  #ghosts = new Map<DirectoryNode, FileNode[]>();

  constructor(kind: {
    fat: boolean;
    directorySizes: boolean;
    device: number;
    clusterSize: number;
    clusters: number;
  }) {
    this.fat = kind.fat;
    this.directorySizes = kind.directorySizes;
    this.device = kind.device;
    this.clusterSize = kind.clusterSize;
    this.total = kind.clusters;
    this.root = this.newDirectory(0);
    this.allocate(this.root, 1);
  }

  get free(): number {
    return this.total - this.#used;
  }

  newFile(modified: number): FileNode {
    return {
      kind: 'file',
      inode: ++lastInode,
      content: new Content(),
      modified,
      clusters: 0,
      names: 0,
    };
  }

  newDirectory(modified: number): DirectoryNode {
    const names = new Names<Node>(this.fat ? fatKey : (name) => name);
    const inode = ++lastInode;
    return { kind: 'directory', inode, names, volume: this, modified, clusters: 0 };
  }

  /** Gives a node this many clusters in all. They may be clusters that others gave up. */
  allocate(node: FileNode | DirectoryNode, clusters: number): void {
    const more = clusters - node.clusters;
    if (more <= 0) return;
    if (more > this.free) fail('ENOSPC');
    this.#used += more;
    node.clusters = clusters;
    for (const ghost of [...this.#ghosts.values()].flat()) ghost.content.reuse();
  }

  /**
   * Puts a name into a directory, growing it where it must.
   * @param hollow what the disk holds under that name until the file is synced
   */
  link(directory: DirectoryNode, name: string, node: Node, hollow?: Node): void {
    if (this.fat && !isFatName(name)) fail('EINVAL');
    const names = directory.names.all().map((entry) => entry.name);
    const slots = [...names, name].reduce((sum, each) => sum + slotsOf(each), 2);
    this.allocate(directory, Math.ceil((slots * SLOT) / this.clusterSize));
    const stored = this.fat ? fatStored(name) : name;
    if (hollow) directory.names.setHollow(stored, node, hollow);
    else directory.names.set(stored, node);
    if (node.kind === 'file') node.names++;
    this.#settle(directory);
  }

  /** Removes a name from a directory. A file without a name gives up its clusters. */
  unlink(directory: DirectoryNode, name: string): void {
    const node = directory.names.get(name)?.node;
    directory.names.delete(name);
    if (node?.kind === 'file' && --node.names === 0) {
      this.#used -= node.clusters;
      node.clusters = 0;
      this.#ghosts.set(directory, [...(this.#ghosts.get(directory) ?? []), node]);
    }
    this.#settle(directory);
  }

  /** A file system that is not FAT loses nothing in this model. */
  #settle(directory: DirectoryNode): void {
    if (!this.fat) this.sync(directory);
  }

  /** The barrier: names in this directory, and the freeing of what it no longer names, are durable. */
  sync(directory: DirectoryNode): void {
    directory.names.sync();
    this.#ghosts.delete(directory);
  }

  /**
   * Removes what was not synced, then counts clusters anew as fsck does at the next boot. A file
   * with two names stays one file, although fsck would separate their clusters.
   */
  crash(random: Random): void {
    const seen = new Set<Node>();
    this.#used = 0;
    const visit = (node: Node): void => {
      const known = seen.has(node);
      if (node.kind === 'file') node.names = known ? node.names + 1 : 1;
      if (known || node.kind === 'link') return;
      seen.add(node);
      if (node.kind === 'file') {
        node.content.crash(random);
        node.clusters = Math.ceil(node.content.current.length / this.clusterSize);
      } else {
        node.names.crash(random);
        for (const entry of node.names.all()) visit(entry.node);
      }
      this.#used += node.clusters;
    };
    visit(this.root);
    this.#ghosts.clear();
  }
}

/** FAT drops the dots at the end of a name, and compares names without case. */
function fatStored(name: string): string {
  return name.replace(/\.+$/, '');
}

function fatKey(name: string): string {
  return fatStored(name).toLowerCase();
}

/** Returns whether vfat accepts a name (FAT §Long file names). */
function isFatName(name: string): boolean {
  const allowed = [...name].every((each) => each >= ' ' && !'"*/:<>?\\|'.includes(each));
  return allowed && name.length <= 255 && fatKey(name) !== '';
}

function slotsOf(name: string): number {
  return 1 + Math.ceil(name.length / NAME_PER_SLOT);
}

/** How many links a path may lead through before the kernel gives up. */
const LINK_LIMIT = 40;

interface Step {
  readonly directory: DirectoryNode;
  /** Of the directory, without a slash at its end. */
  readonly path: string;
}

/** How far a path was followed, and what remains of it. */
interface Way {
  readonly todo: string[];
  readonly above: Step[];
  here: Step;
  links: number;
}

/** Follows a path from a root; undefined where a directory on the way is missing. */
export function walk(root: DirectoryNode, path: string, follow: boolean): Place | undefined {
  const way: Way = {
    todo: partsOf(path),
    above: [],
    here: { directory: root, path: '' },
    links: 0,
  };
  for (let part = way.todo.shift(); part !== undefined; part = way.todo.shift()) {
    if (part === '..') {
      way.here = way.above.pop() ?? way.here;
      continue;
    }
    const place = placeOf(way.here, part);
    const last = way.todo.length === 0;
    if (place.node?.kind === 'link' && (follow || !last)) {
      enterLink(way, root, place.node.target);
    } else if (last) {
      return place;
    } else if (place.node?.kind === 'directory') {
      way.above.push(way.here);
      way.here = { directory: place.node, path: place.path };
    } else {
      return undefined;
    }
    if (way.links > LINK_LIMIT) return undefined;
  }
  return { ...way.here, name: '', node: way.here.directory };
}

function enterLink(way: Way, root: DirectoryNode, target: string): void {
  way.links++;
  way.todo.unshift(...partsOf(target));
  if (!target.startsWith('/')) return;
  way.above.length = 0;
  way.here = { directory: root, path: '' };
}

function placeOf(here: Step, part: string): Place {
  const entry = here.directory.names.get(part);
  const name = entry?.name ?? part;
  const node = through(entry?.node);
  return { directory: here.directory, name, node, path: `${here.path}/${name}` };
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

/** Steps through a mount point to what is mounted there. */
function through(node: Node | undefined): Node | undefined {
  return node?.kind === 'directory' ? (node.mounted ?? node) : node;
}
