/** A directory in memory: its slots, and the names in them. */
import type { Geometry } from './geometry.ts';
import {
  ATTRIBUTE,
  checksumOf,
  isLongPart,
  type Leads,
  type LongName,
  parseLeads,
  REMOVED,
  UNUSED,
  withPart,
} from './record.ts';
import { SLOT } from './region.ts';
import { CASE_AT, folded, shownAlias } from './short-name.ts';

/** A name in a directory. */
export interface Entry extends Leads {
  readonly name: string;
  /** Its short name as text. */
  readonly alias: string;
  /** The slot of its record. */
  readonly slot: number;
  /** The slot of the first part of its long name, or that of its record. */
  readonly first: number;
}

/** A stretch of a directory: what it holds, and where that lies in the region, in bytes. */
interface Extent {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A directory. Its bytes are those of the region, as long as whoever changes them writes them. */
export class Directory {
  /** The clusters of its chain; none for the root directory of FAT12 and FAT16. */
  readonly clusters: number[];
  readonly #extents: Extent[];
  readonly #perExtent: number;
  readonly #isLarge: boolean;
  #entries: Entry[] | undefined;
  #byName: Map<string, Entry> | undefined;

  constructor(extents: readonly Extent[], clusters: readonly number[], { bits }: Geometry) {
    this.clusters = [...clusters];
    this.#extents = [...extents];
    this.#perExtent = (extents[0]?.bytes.length ?? SLOT) / SLOT;
    this.#isLarge = bits === 32;
  }

  /** How many slots it has. */
  get slots(): number {
    return this.#extents.length * this.#perExtent;
  }

  /** Adds a cluster at its end. */
  grow(cluster: number, extent: Extent): void {
    this.clusters.push(cluster);
    this.#extents.push(extent);
  }

  /** Returns the bytes of a slot; a change of them is one of the directory. */
  slot(index: number): Uint8Array {
    const { bytes } = this.#extent(index);
    const at = (index % this.#perExtent) * SLOT;
    return bytes.subarray(at, at + SLOT);
  }

  /** Returns where a slot lies in the region, in bytes. */
  offsetOf(index: number): number {
    return this.#extent(index).offset + (index % this.#perExtent) * SLOT;
  }

  /** Returns the bytes of the region around a slot, from `offset` on: a whole sector. */
  sectorAt(index: number, sectorSize: number): Extent {
    const { offset, bytes } = this.#extent(index);
    const at = (index % this.#perExtent) * SLOT;
    const start = at - (at % sectorSize);
    return { offset: offset + start, bytes: bytes.subarray(start, start + sectorSize) };
  }

  /** Changes a slot in memory. */
  put(index: number, bytes: Uint8Array): void {
    this.slot(index).set(bytes);
    this.#entries = undefined;
    this.#byName = undefined;
  }

  /** Every name, in the order of its slots. */
  get entries(): readonly Entry[] {
    this.#entries ??= [...this.#parsed()];
    return this.#entries;
  }

  /** Returns what bears a name, in any case, or has it as its alias. */
  find(name: string): Entry | undefined {
    this.#byName ??= namesOf(this.entries);
    return this.#byName.get(folded(name));
  }

  /** Returns the first of `count` free slots side by side, or of those at the end that are fewer. */
  freeSlots(count: number): number {
    let run = 0;
    for (let index = 0; index < this.slots; index++) {
      run = isFree(this.slot(index)) ? run + 1 : 0;
      if (run === count) return index - count + 1;
    }
    return this.slots - run;
  }

  #extent(index: number): Extent {
    const extent = this.#extents[Math.floor(index / this.#perExtent)];
    if (extent === undefined) throw new RangeError(`slot ${index} of ${this.slots}`);
    return extent;
  }

  /**
   * A slot that was never used does not end the search, as in the kernel: power lost while a directory
   * grew may have left one before names.
   */
  *#parsed(): Generator<Entry> {
    let long: LongName | undefined;
    for (let index = 0; index < this.slots; index++) {
      const record = this.slot(index);
      if (isFree(record)) long = undefined;
      else if (isLongPart(record)) long = withPart(long, record, index);
      else {
        const entry = this.#entryAt(index, record, long);
        if (entry !== undefined) yield entry;
        long = undefined;
      }
    }
  }

  #entryAt(slot: number, record: Uint8Array, long: LongName | undefined): Entry | undefined {
    const leads = parseLeads(record, this.#isLarge);
    const alias = shownAlias(record);
    if ((leads.attributes & ATTRIBUTE.label) !== 0 || /^\.\.?$/.test(alias)) return undefined;
    const isNamed = long?.next === 0 && long.checksum === checksumOf(record);
    const name = isNamed ? long.text : shownAlias(record, record[CASE_AT]);
    return { ...leads, name, alias, slot, first: isNamed ? long.slot : slot };
  }
}

function isFree(record: Uint8Array): boolean {
  return record[0] === UNUSED || record[0] === REMOVED;
}

/** A long name comes before another's alias, and the first of two equal names before the second. */
function namesOf(entries: readonly Entry[]): Map<string, Entry> {
  const names = new Map<string, Entry>();
  for (const key of ['name', 'alias'] as const) {
    for (const entry of entries) {
      const name = folded(entry[key]);
      if (!names.has(name)) names.set(name, entry);
    }
  }
  return names;
}
