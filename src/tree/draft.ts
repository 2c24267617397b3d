/** A tree in the making: names are put one after another, in any order, and come out sorted. */
import { EspError } from '../error.ts';
import { compareNames, parentOf, type Tree, type TreeNode } from './node.ts';

/** A node before its place, its time and its owner's number are settled. */
export interface DraftNode extends Omit<TreeNode, 'path' | 'sameAs'> {
  /** The names of its owner and group, where a declaration gives names. */
  readonly user?: string;
  readonly group?: string;
  /** What two names of one file have in common. */
  readonly identity?: string;
}

interface Place {
  node: DraftNode;
  /** The declaration that put it; none where a directory was only needed above another name. */
  by: string | undefined;
  readonly children: Map<string, Place>;
}

const MAX_NAME = 255;
/** As PATH_MAX of Linux, in bytes. */
const MAX_PATH = 4096;

/** Returns a directory of root's that everyone may read. */
export function plainDirectory(modified: number): DraftNode {
  return { kind: 'directory', mode: 0o755, uid: 0, gid: 0, modified, size: 0, xattrs: [] };
}

/** A tree in the making. */
export class Draft {
  readonly #root: Place;
  readonly #time: number;

  /** `time`: of directories that no declaration gives, in seconds. */
  constructor(time: number) {
    this.#time = time;
    this.#root = { node: plainDirectory(time), by: undefined, children: new Map() };
  }

  /** Returns what was put at a path. */
  node(path: string): DraftNode | undefined {
    let place: Place | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      place = place?.children.get(name);
    }
    return place?.node;
  }

  /**
   * Puts a node at a path, and directories above it. Directories are merged. A declaration may
   * replace what it put itself, as a later member of a tar file does.
   * @throws {CONFIG_INVALID} when another declaration put something there, or what is above it is no
   * directory, or the path is none of a tree
   */
  put(path: string, node: DraftNode, by: string): void {
    const names = namesOf(path, by);
    const last = names.pop();
    if (last === undefined) {
      if (node.kind !== 'directory') throw refused(`${by}: the root must be a directory`);
      this.#root.node = node;
      this.#root.by = by;
      return;
    }
    const above = this.#directory(names, by);
    const there = above.children.get(last);
    if (there === undefined) {
      above.children.set(last, { node, by, children: new Map() });
    } else {
      replace(there, node, by, path);
    }
  }

  /** Returns the tree. `settle` makes the final node of a draft. */
  tree(settle: (node: DraftNode) => Omit<TreeNode, 'path'>): Tree {
    const nodes: TreeNode[] = [];
    const first = new Map<string, string>();
    const visit = (path: string, { node, children }: Place): void => {
      const same = node.identity === undefined ? undefined : first.get(node.identity);
      if (node.identity !== undefined && same === undefined) first.set(node.identity, path);
      nodes.push({ path, ...settle(node), ...(same !== undefined && { sameAs: same }) });
      const prefix = path === '/' ? '/' : `${path}/`;
      for (const [name, child] of [...children].sort(([a], [b]) => compareNames(a, b))) {
        visit(prefix + name, child);
      }
    };
    visit('/', this.#root);
    return nodes;
  }

  #directory(names: readonly string[], by: string): Place {
    let place = this.#root;
    for (const [index, name] of names.entries()) {
      let next = place.children.get(name);
      if (next === undefined) {
        next = { node: plainDirectory(this.#time), by: undefined, children: new Map() };
        place.children.set(name, next);
      }
      if (next.node.kind !== 'directory') {
        const path = `/${names.slice(0, index + 1).join('/')}`;
        const leads = next.node.kind === 'link' ? `, a link to ${next.node.target},` : '';
        throw refused(
          `${by}: expected ${path} to be a directory, but it is a ${next.node.kind}${leads} of ${next.by}`,
          next.node.kind === 'link' ? `name the directory that ${path} leads to` : undefined,
        );
      }
      place = next;
    }
    return place;
  }
}

function replace(there: Place, node: DraftNode, by: string, path: string): void {
  const areDirectories = there.node.kind === 'directory' && node.kind === 'directory';
  if (there.by !== by && !areDirectories) {
    const other = there.by ?? `what lies below it (${parentOf(path)})`;
    throw refused(`${path}: ${by} puts it there, and so does ${other}`, 'give each its own target');
  }
  if (!areDirectories) there.children.clear();
  there.node = node;
  there.by = by;
}

/** Returns the parts of a path of a tree. */
function namesOf(path: string, by: string): string[] {
  const names = path.split('/').filter((part) => part !== '' && part !== '.');
  const bad = names.find((name) => name === '..' || name.includes('\0') || isLong(name));
  if (bad !== undefined || Buffer.byteLength(path) > MAX_PATH) {
    const shown = JSON.stringify(path.slice(0, 200));
    throw refused(
      `${by}: expected a path without .., with names of at most ${MAX_NAME} bytes and ${MAX_PATH} in all, got ${shown}`,
    );
  }
  return names;
}

function isLong(name: string): boolean {
  return name.length > MAX_NAME || Buffer.byteLength(name) > MAX_NAME;
}

function refused(message: string, hint?: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}
