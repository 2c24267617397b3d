/** A tree in the making: names are put one after another, in any order, and come out sorted. */
import { EspError } from '../error.ts';
import { NameTable, NONE } from './name-table.ts';
import { parentOf } from './node.ts';
import { type DraftNode, Records } from './records.ts';
import { Tree } from './tree.ts';

const ROOT = 0;
const MAX_NAME = 255;
/** As PATH_MAX of Linux, in bytes. */
const MAX_PATH = 4096;

/** Returns a directory of root's that everyone may read. */
export function plainDirectory(modified: number): DraftNode {
  return { kind: 'directory', mode: 0o755, uid: 0, gid: 0, modified, size: 0, xattrs: [] };
}

/** Returns the number of the name of a user or group. */
export type NumberOf = (name: string, kind: 'user' | 'group') => number;

/** A tree in the making. */
export class Draft {
  readonly #names = new NameTable();
  readonly #records = new Records();
  readonly #time: number | 'kept';
  #count = 0;

  /** `time`: of everything, in seconds; `kept`: each node has its own. */
  constructor(time: number | 'kept') {
    this.#time = time;
    this.#add(NONE, '', this.#needed(), undefined);
  }

  /** Returns what was put at a path. */
  node(path: string): DraftNode | undefined {
    let place: number | undefined = ROOT;
    let last = '';
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (place !== undefined) place = this.#names.find(place, name);
      last = name;
    }
    return place === undefined ? undefined : this.#records.node(place, last);
  }

  /**
   * Puts a node at a path, and directories above it. Directories are merged. A declaration may
   * replace what it put itself, as a later member of a tar file does.
   * @throws {CONFIG_INVALID} when another declaration put something there, or what is above it is no
   * directory, or the path is none of a tree
   */
  put(path: string, given: DraftNode, by: string): void {
    const node = this.#time === 'kept' ? given : { ...given, modified: this.#time };
    const names = namesOf(path, by);
    const last = names.pop();
    if (last === undefined) {
      if (node.kind !== 'directory') throw refused(`${by}: the root must be a directory`);
      this.#records.set(ROOT, '', node, by);
      return;
    }
    const above = this.#directory(names, by);
    const there = this.#names.find(above, last);
    if (there === undefined) this.#add(above, last, node, by);
    else this.#replace(there, last, node, by, path);
  }

  /**
   * Returns the tree. The draft is used up by it.
   * @throws what `numberOf` throws
   */
  tree(numberOf: NumberOf): Tree {
    const [names, records] = [this.#names, this.#records];
    const order = new Uint32Array(this.#count);
    const same = new Map<number, number>();
    const first = new Map<string, number>();
    let length = 0;
    const visit = (place: number): void => {
      const index = length++;
      order[index] = place;
      records.settleOwner(place, ['user', 'uid'], (name) => numberOf(name, 'user'));
      records.settleOwner(place, ['group', 'gid'], (name) => numberOf(name, 'group'));
      const identity = records.identity(place);
      const known = identity === undefined ? undefined : first.get(identity);
      if (known !== undefined) same.set(index, known);
      else if (identity !== undefined) first.set(identity, index);
      const children = this.#childrenOf(place).sort((a, b) => names.compare(a, b));
      records.setLink(place, 'child', index);
      for (const [at, child] of children.entries()) {
        visit(child);
        records.setLink(child, 'sibling', at + 1 < children.length ? length : 0);
      }
    };
    visit(ROOT);
    return new Tree({ names, records, order: order.subarray(0, length), same });
  }

  #childrenOf(place: number): number[] {
    const children: number[] = [];
    for (let child = this.#records.link(place, 'child'); child !== NONE; ) {
      children.push(child);
      child = this.#records.link(child, 'sibling');
    }
    return children;
  }

  #add(above: number, name: string, node: DraftNode, by: string | undefined): number {
    const records = this.#records;
    const place = this.#names.add(above, name);
    this.#count++;
    records.set(place, name, node, by);
    records.setLink(place, 'child', NONE);
    records.setLink(place, 'sibling', above === NONE ? NONE : records.link(above, 'child'));
    if (above !== NONE) records.setLink(above, 'child', place);
    return place;
  }

  #replace(there: number, name: string, node: DraftNode, by: string, path: string): void {
    const records = this.#records;
    const areDirectories = records.kind(there) === 'directory' && node.kind === 'directory';
    if (records.by(there) !== by && !areDirectories) {
      const other = records.by(there) ?? `what lies below it (${parentOf(path)})`;
      throw refused(
        `${path}: ${by} puts it there, and so does ${other}`,
        'give each its own target',
      );
    }
    if (!areDirectories) {
      for (const child of this.#childrenOf(there)) this.#names.forget(child);
      records.setLink(there, 'child', NONE);
    }
    records.set(there, name, node, by);
  }

  #directory(names: readonly string[], by: string): number {
    const records = this.#records;
    let place = ROOT;
    for (const [index, name] of names.entries()) {
      const next =
        this.#names.find(place, name) ?? this.#add(place, name, this.#needed(), undefined);
      if (records.kind(next) !== 'directory') {
        const path = `/${names.slice(0, index + 1).join('/')}`;
        const { kind, target } = records.node(next, name);
        const leads = kind === 'link' ? `, a link to ${target},` : '';
        throw refused(
          `${by}: expected ${path} to be a directory, but it is a ${kind}${leads} of ${records.by(next)}`,
          kind === 'link' ? `name the directory that ${path} leads to` : undefined,
        );
      }
      place = next;
    }
    return place;
  }

  /** A directory that no declaration gives, and that is only needed above another name. */
  #needed(): DraftNode {
    return plainDirectory(this.#time === 'kept' ? 0 : this.#time);
  }
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
