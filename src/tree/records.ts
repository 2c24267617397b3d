/**
 * Nodes in records of 60 bytes, and what few of them have beside: a tree of a million files takes
 * little more than their names.
 */
import { NONE } from './name-table.ts';
import type { Content, DeviceNumber, NodeKind, TreeNode, Xattr } from './node.ts';

/** A node before its place and its owner's number are settled. */
export interface DraftNode extends Omit<TreeNode, 'path' | 'sameAs'> {
  /** The names of its owner and group, where a declaration gives names. */
  readonly user?: string;
  readonly group?: string;
  /** What two names of one file have in common. */
  readonly identity?: string;
}

/** What few nodes have. */
interface Rarity {
  readonly xattrs?: readonly Xattr[];
  readonly target?: string;
  readonly device?: DeviceNumber;
  readonly bytes?: Uint8Array;
  readonly identity?: string;
}

/** A record and its fields, in bytes. Those of texts have their numbers. */
const RECORD = 60;
const FIELD = {
  child: 0,
  sibling: 4,
  by: 8,
  source: 12,
  user: 16,
  group: 20,
  uid: 24,
  gid: 28,
  mode: 32,
  kind: 34,
  size: 36,
  modified: 44,
  offset: 52,
} as const;

const KINDS = ['file', 'directory', 'link', 'character', 'block', 'fifo', 'socket'] as const;
/** Above the kind: the content is the file of the node's own name in the directory `source`. */
const IS_NAMED = 0x40;
const IS_RARE = 0x80;
const KIND_MASK = 0x3f;

const NO_XATTRS: readonly Xattr[] = [];

/** Nodes by number. */
export class Records {
  #view = new DataView(new ArrayBuffer(256 * RECORD));
  readonly #rarities = new Map<number, Rarity>();
  readonly #texts = new Texts();

  /** Returns the number of another node that is kept with this one. */
  link(record: number, field: 'child' | 'sibling'): number {
    return this.#view.getUint32(record * RECORD + FIELD[field], true);
  }

  setLink(record: number, field: 'child' | 'sibling', value: number): void {
    this.#view.setUint32(record * RECORD + FIELD[field], value, true);
  }

  kind(record: number): NodeKind {
    return KINDS[this.#view.getUint8(record * RECORD + FIELD.kind) & KIND_MASK] ?? 'file';
  }

  /** Returns what put a node. */
  by(record: number): string | undefined {
    return this.#text(record, FIELD.by);
  }

  identity(record: number): string | undefined {
    return this.#rarities.get(record)?.identity;
  }

  /** Keeps a node, whose own name is `name`. Its links stay. */
  set(record: number, name: string, node: DraftNode, by: string | undefined): void {
    const at = record * RECORD;
    const view = this.#reserved(at + RECORD);
    const { path, offset, isNamed } = sourceOf(node.content, name);
    const texts = { by, source: path, user: node.user, group: node.group };
    for (const [field, text] of Object.entries(texts)) {
      view.setUint32(at + FIELD[field as keyof typeof texts], this.#texts.number(text), true);
    }
    view.setUint32(at + FIELD.uid, node.uid, true);
    view.setUint32(at + FIELD.gid, node.gid, true);
    view.setUint16(at + FIELD.mode, node.mode, true);
    view.setFloat64(at + FIELD.size, node.size, true);
    view.setFloat64(at + FIELD.modified, node.modified, true);
    view.setFloat64(at + FIELD.offset, offset, true);
    const rarity = rarityOf(node);
    if (rarity === undefined) this.#rarities.delete(record);
    else this.#rarities.set(record, rarity);
    const flags = (isNamed ? IS_NAMED : 0) | (rarity === undefined ? 0 : IS_RARE);
    view.setUint8(at + FIELD.kind, KINDS.indexOf(node.kind) | flags);
  }

  /** Replaces the name of a node's owner or group by its number. */
  settleOwner(
    record: number,
    [name, number]: readonly ['user', 'uid'] | readonly ['group', 'gid'],
    numberOf: (name: string) => number,
  ): void {
    const text = this.#text(record, FIELD[name]);
    if (text === undefined) return;
    this.#view.setUint32(record * RECORD + FIELD[number], numberOf(text), true);
    this.#view.setUint32(record * RECORD + FIELD[name], NONE, true);
  }

  /** Returns everything of a node but its place. */
  node(record: number, name: string): DraftNode {
    const at = record * RECORD;
    const view = this.#view;
    const flags = view.getUint8(at + FIELD.kind);
    const source = this.#text(record, FIELD.source);
    const plain = {
      kind: this.kind(record),
      mode: view.getUint16(at + FIELD.mode, true),
      uid: view.getUint32(at + FIELD.uid, true),
      gid: view.getUint32(at + FIELD.gid, true),
      modified: view.getFloat64(at + FIELD.modified, true),
      size: view.getFloat64(at + FIELD.size, true),
      xattrs: NO_XATTRS,
      ...this.#owners(record),
    };
    if (source !== undefined) {
      const path = (flags & IS_NAMED) === 0 ? source : `${source}/${name}`;
      const offset = view.getFloat64(at + FIELD.offset, true);
      Object.assign(plain, { content: { path, offset } });
    }
    if ((flags & IS_RARE) === 0) return plain;
    const { bytes, ...rarity } = this.#rarities.get(record) ?? {};
    return { ...plain, ...rarity, ...(bytes !== undefined && { content: { bytes } }) };
  }

  #owners(record: number): Pick<DraftNode, 'user' | 'group'> | undefined {
    const user = this.#text(record, FIELD.user);
    const group = this.#text(record, FIELD.group);
    if (user === undefined && group === undefined) return undefined;
    return { ...(user !== undefined && { user }), ...(group !== undefined && { group }) };
  }

  #text(record: number, field: number): string | undefined {
    return this.#texts.text(this.#view.getUint32(record * RECORD + field, true));
  }

  #reserved(end: number): DataView {
    if (end > this.#view.byteLength) {
      const larger = new Uint8Array(2 * this.#view.byteLength);
      larger.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(larger.buffer);
    }
    return this.#view;
  }
}

/** Texts that many nodes have in common. */
class Texts {
  readonly #numbers = new Map<string, number>();
  readonly #texts: string[] = [];

  number(text: string | undefined): number {
    if (text === undefined) return NONE;
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#texts.length);
    return this.#texts.push(text) - 1;
  }

  text(number: number): string | undefined {
    return this.#texts[number];
  }
}

/** Most contents have the name of their node: their directory is enough then. */
function sourceOf(content: Content | undefined, name: string) {
  if (content === undefined || 'bytes' in content) {
    return { path: undefined, offset: 0, isNamed: false };
  }
  const { path, offset } = content;
  const isNamed = path.endsWith(name) && path.at(-name.length - 1) === '/';
  return { path: isNamed ? path.slice(0, -name.length - 1) : path, offset, isNamed };
}

function rarityOf({ xattrs, target, device, content, identity }: DraftNode): Rarity | undefined {
  const bytes = content !== undefined && 'bytes' in content ? content.bytes : undefined;
  const rarity = {
    ...(xattrs.length > 0 && { xattrs }),
    ...(target !== undefined && { target }),
    ...(device !== undefined && { device }),
    ...(bytes !== undefined && { bytes }),
    ...(identity !== undefined && { identity }),
  };
  return Object.keys(rarity).length > 0 ? rarity : undefined;
}
