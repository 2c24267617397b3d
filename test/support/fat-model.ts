/** What survives a power failure on FAT: names, contents and freed clusters, each in two states. */

/** In bytes. A disk writes this much as a whole or not at all. */
const SECTOR = 512;

/** A source of random numbers in [0, 1). */
export type Random = () => number;

/**
 * Returns the random numbers of a seed. Seed 0 always answers 1, so no unsynced change survives.
 * Seed 1 always answers 0, so every change survives. Any other seed gives its own sequence.
 */
export function randomOf(seed: number): Random {
  if (seed === 0) return () => 1;
  if (seed === 1) return () => 0;
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function survives(random: Random): boolean {
  return random() < 0.5;
}

/** The bytes of a file: as programs see them, and as the platter holds them. */
export class Content {
  current: Uint8Array = new Uint8Array(0);
  #durable: Uint8Array = new Uint8Array(0);
  #pending: { offset: number; bytes: Uint8Array }[] = [];
  /** Whether its clusters were freed and given to another file. */
  #reused = false;

  write(offset: number, bytes: Uint8Array): void {
    this.#pending.push({ offset, bytes: bytes.slice() });
    this.current = patched(this.current, offset, bytes);
  }

  sync(): void {
    this.#durable = this.current;
    this.#pending = [];
  }

  /** Another file wrote into these clusters. If this file comes back, it holds foreign bytes. */
  reuse(): void {
    this.#reused = true;
  }

  /** Removes what was not synced, as a whole or by the sector. */
  crash(random: Random): void {
    let bytes = this.#durable;
    for (const { offset, bytes: written } of this.#pending) {
      let at = 0;
      while (at < written.length) {
        const sector = written.slice(at, at + SECTOR - ((offset + at) % SECTOR));
        // The new size may reach the disk without the bytes that it counts.
        if (survives(random)) bytes = stretched(bytes, offset + at + sector.length);
        if (survives(random)) bytes = patched(bytes, offset + at, sector);
        at += sector.length;
      }
    }
    if (this.#reused && bytes.length > 0) bytes = patched(bytes, 0, new Uint8Array([0xe5]));
    this.current = bytes;
    this.sync();
  }
}

/** Returns a copy of `bytes` with `patch` laid over it at `offset`. */
function patched(bytes: Uint8Array, offset: number, patch: Uint8Array): Uint8Array {
  const result = stretched(bytes, offset + patch.length).slice();
  result.set(patch, offset);
  return result;
}

function stretched(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const result = new Uint8Array(length);
  result.set(bytes);
  return result;
}

/** A name in a directory as it was written, and what it leads to. */
export interface Entry<Node> {
  readonly name: string;
  readonly node: Node;
}

/** The names in a directory: as programs see them, and as the platter holds them. */
export class Names<Node> {
  #current = new Map<string, Entry<Node>>();
  #durable = new Map<string, Entry<Node>>();
  #pending: { key: string; entry: Entry<Node> | undefined }[] = [];
  /** What the platter has under names whose files were not synced since they were renamed. */
  #hollow = new Map<string, Entry<Node>>();
  readonly #keyOf: (name: string) => string;

  constructor(keyOf: (name: string) => string) {
    this.#keyOf = keyOf;
  }

  get(name: string): Entry<Node> | undefined {
    return this.#current.get(this.#keyOf(name));
  }

  all(): Entry<Node>[] {
    return [...this.#current.values()];
  }

  set(name: string, node: Node): void {
    this.#change(this.#keyOf(name), { name, node });
  }

  delete(name: string): void {
    this.#change(this.#keyOf(name), undefined);
  }

  /**
   * Gives a node a name that the platter keeps for `hollow`, a file without its content, until
   * {@link settle}.
   */
  setHollow(name: string, node: Node, hollow: Node): void {
    const key = this.#keyOf(name);
    this.#change(key, { name, node: hollow });
    this.#current.set(key, { name, node });
    this.#hollow.set(key, { name, node: hollow });
  }

  /** Writes what a name leads to into its slot, wherever that is by now. */
  settle(name: string): void {
    const key = this.#keyOf(name);
    const entry = this.#current.get(key);
    const hollow = this.#hollow.get(key);
    if (!entry || !hollow) return;
    this.#hollow.delete(key);
    if (this.#durable.get(key)?.node === hollow.node) this.#durable.set(key, entry);
    this.#pending = this.#pending.map((change) =>
      change.entry?.node === hollow.node ? { key, entry } : change,
    );
  }

  #change(key: string, entry: Entry<Node> | undefined): void {
    this.#hollow.delete(key);
    this.#pending.push({ key, entry });
    apply(this.#current, key, entry);
  }

  sync(): void {
    this.#durable = new Map([...this.#current, ...this.#hollow]);
    this.#pending = [];
  }

  /** Takes away any of the changes that were not synced, whatever their order. */
  crash(random: Random): void {
    // The kernel may have synced a file by itself.
    for (const { name } of [...this.#hollow.values()]) if (survives(random)) this.settle(name);
    for (const { key, entry } of this.#pending) {
      if (survives(random)) apply(this.#durable, key, entry);
    }
    this.#current = new Map(this.#durable);
    this.#hollow.clear();
    this.#pending = [];
  }
}

function apply<Value>(map: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
