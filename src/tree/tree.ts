/** A tree of files as an image will hold it, however many they are. */
import type { NameTable } from './name-table.ts';
import type { NodeKind, TreeNode } from './node.ts';
import type { DraftNode, Records } from './records.ts';

/** What a directory holds: a name, and the index of its node. */
export interface Child {
  readonly name: string;
  readonly node: number;
  readonly kind: NodeKind;
}

/** What a tree is made of. */
export interface Parts {
  readonly names: NameTable;
  /** Each with the index of its node as its `child`, and that of its next sibling, or 0. */
  readonly records: Records;
  /** The numbers of the names in the order of the nodes. */
  readonly order: Uint32Array;
  /** The index of the first name of the same file, by that of a further one. */
  readonly same: ReadonlyMap<number, number>;
}

/**
 * A whole tree: the root first, each directory before what is in it, the names of a directory in
 * the order of their bytes. Nodes are numbered in this order, and made when they are asked for: the
 * tree takes about a hundred bytes for each.
 */
export class Tree implements Iterable<TreeNode> {
  readonly #parts: Parts;
  readonly #counts: ReadonlyMap<number, number>;
  /** The last directory that was asked for, and its path. */
  #directory = 0;
  #path = '/';

  constructor(parts: Parts) {
    this.#parts = parts;
    const counts = new Map<number, number>();
    for (const first of parts.same.values()) counts.set(first, (counts.get(first) ?? 1) + 1);
    this.#counts = counts;
  }

  get length(): number {
    return this.#parts.order.length;
  }

  *values(): Generator<TreeNode, undefined> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  [Symbol.iterator](): Generator<TreeNode, undefined> {
    return this.values();
  }

  /** Returns a node by its index. */
  at(index: number): TreeNode {
    const { names, records, same } = this.#parts;
    const number = this.#number(index);
    const name = names.name(number);
    const { identity: _none, ...node }: DraftNode = records.node(number, name);
    const first = same.get(index);
    return {
      path: this.#pathOf(index, name),
      ...node,
      ...(first !== undefined && { sameAs: this.at(first).path }),
    };
  }

  /** Returns the index of the directory that holds a node; the root holds itself. */
  parentOf(index: number): number {
    const { names, records } = this.#parts;
    return index === 0 ? 0 : records.link(names.parent(this.#number(index)), 'child');
  }

  /** Yields what a directory holds, in order. */
  *childrenOf(index: number): Generator<Child, undefined> {
    const { names, records } = this.#parts;
    const first = index + 1;
    if (first === this.length || this.parentOf(first) !== index) return;
    for (let node = first; node !== 0; ) {
      const number = this.#number(node);
      yield { name: names.name(number), node, kind: records.kind(number) };
      node = records.link(number, 'sibling');
    }
  }

  /** Returns the index of the first name of the same file, where hard links are kept; else its own. */
  firstOf(index: number): number {
    return this.#parts.same.get(index) ?? index;
  }

  /** Returns how many names a file has, by the index of the first. */
  namesOf(index: number): number {
    return this.#counts.get(index) ?? 1;
  }

  #number(index: number): number {
    return this.#parts.order[index] ?? 0;
  }

  #pathOf(index: number, name: string): string {
    if (index === 0) return '/';
    const directory = this.parentOf(index);
    if (directory !== this.#directory) {
      const number = this.#number(directory);
      // The path of the directory above is found first, which takes the memory of the last one.
      const path = this.#pathOf(directory, this.#parts.names.name(number));
      this.#directory = directory;
      this.#path = path;
    }
    return directory === 0 ? `/${name}` : `${this.#path}/${name}`;
  }
}
