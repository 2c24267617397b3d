/** Names by number, all in one text, and found by the directory that they are in. */

/** Stands for no number. */
export const NONE = 0xffff_ffff;

/** In bytes: a name has at most 255. */
const MAX_ENCODED = 1024;

/** Names in the order in which they were added. */
export class NameTable {
  #parents = new Uint32Array(256);
  /** Where each name ends in the text; it begins where the one before ends. */
  #ends = new Uint32Array(256);
  #text = Buffer.alloc(4096);
  #count = 0;
  /** Numbers of names plus one, at the hash of parent and name or behind it; mostly empty. */
  #slots = new Uint32Array(1024);
  readonly #encoded = Buffer.alloc(MAX_ENCODED);

  /** Adds a name to a directory that does not have it, and returns its number. */
  add(parent: number, name: string): number {
    this.#reserve();
    const number = this.#count++;
    const start = this.#start(number);
    const length = this.#text.write(name, start);
    this.#parents[number] = parent;
    this.#ends[number] = start + length;
    this.#slots[this.#slotOf(parent, this.#text.subarray(start, start + length))] = number + 1;
    return number;
  }

  /** Returns the number of a name in a directory. */
  find(parent: number, name: string): number | undefined {
    const length = this.#encoded.write(name);
    const found = this.#slots[this.#slotOf(parent, this.#encoded.subarray(0, length))] ?? 0;
    return found === 0 ? undefined : found - 1;
  }

  /** Makes a name unfindable. */
  forget(number: number): void {
    this.#parents[number] = NONE;
  }

  parent(number: number): number {
    return this.#parents[number] ?? NONE;
  }

  name(number: number): string {
    return this.#text.toString('utf8', this.#start(number), this.#ends[number]);
  }

  /** Orders two names by their bytes. */
  compare(one: number, other: number): number {
    const [start, end] = [this.#start(other), this.#ends[other]];
    return this.#text.compare(this.#text, start, end, this.#start(one), this.#ends[one]);
  }

  #start(number: number): number {
    return this.#ends[number - 1] ?? 0;
  }

  /** Returns the slot of a name, or the free one where it would be. */
  #slotOf(parent: number, name: Uint8Array): number {
    const mask = this.#slots.length - 1;
    // FNV-1a, beginning with the parent.
    let hash = Math.imul(parent ^ 0x811c_9dc5, 0x0100_0193);
    for (const byte of name) hash = Math.imul(hash ^ byte, 0x0100_0193);
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0) return slot;
      if (this.#parents[number] !== parent) continue;
      const [start, end] = [this.#start(number), this.#ends[number]];
      if (this.#text.compare(name, 0, name.length, start, end) === 0) return slot;
    }
  }

  /** Makes room for one more name. */
  #reserve(): void {
    if (this.#start(this.#count) + MAX_ENCODED > this.#text.length) {
      this.#text = Buffer.concat([this.#text], 2 * this.#text.length);
    }
    if (this.#count < this.#parents.length) return;
    this.#parents = grown(this.#parents);
    this.#ends = grown(this.#ends);
    this.#slots = new Uint32Array(2 * this.#slots.length);
    for (let number = 0; number < this.#count; number++) {
      const parent = this.#parents[number] ?? NONE;
      const name = this.#text.subarray(this.#start(number), this.#ends[number]);
      if (parent !== NONE) this.#slots[this.#slotOf(parent, name)] = number + 1;
    }
  }
}

function grown(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
