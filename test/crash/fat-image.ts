/** The files on a FAT32 image, read from its bytes (Microsoft FAT specification, 1.03). Knows no writing. */

/** A stretch of the image in bytes. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

/** One file: what its clusters hold, as far as they go. */
export interface FatFile {
  readonly path: string;
  /** Where the slot of its name lies on the image, in bytes. */
  readonly slot: number;
  readonly runs: readonly Run[];
  /** Its clusters end before its size does. */
  readonly isCutOff: boolean;
}

/** What a volume holds. */
export interface FatListing {
  readonly files: readonly FatFile[];
  /** Everything that is not the content of a file: boot sectors, allocation tables, directories. */
  readonly structure: readonly Run[];
  /** Names lie behind the end of a directory: firmware does not see them, and the kernel does. */
  readonly isHiding: boolean;
}

/** On a broken file system a directory may be its own parent. */
const DEEPEST = 5;
const SECTOR = 512;
const RECORD = 32;
const ATTRIBUTES = { label: 0x08, directory: 0x10, longName: 0x0f } as const;

/** @throws {RangeError} when it is no FAT32 image */
export function readFat(image: Uint8Array): FatListing {
  return new Volume(image).list();
}

class Volume {
  readonly #image: Uint8Array;
  readonly #view: DataView;
  readonly #table: number;
  readonly #data: number;
  readonly #clusterSize: number;
  readonly #clusters: number;
  readonly #root: number;
  readonly #files: FatFile[] = [];
  readonly #structure: Run[];
  #isHiding = false;

  constructor(image: Uint8Array) {
    this.#image = image;
    this.#view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const sector = this.#view.getUint16(11, true);
    const tables = this.#view.getUint8(16);
    const tableSize = this.#view.getUint32(36, true) * sector;
    this.#table = this.#view.getUint16(14, true) * sector;
    this.#data = this.#table + tables * tableSize;
    this.#clusterSize = this.#view.getUint8(13) * sector;
    const sectors = this.#view.getUint16(19, true) || this.#view.getUint32(32, true);
    const size = sectors * sector;
    this.#clusters = Math.floor((size - this.#data) / this.#clusterSize);
    this.#root = this.#view.getUint32(44, true);
    const isFat32 = this.#view.getUint16(17, true) === 0 && tableSize >= 4 * this.#clusters;
    if (!isFat32 || sector !== SECTOR || size > image.length)
      throw new RangeError('expected a FAT32 image');
    this.#structure = [{ start: 0, length: this.#data }];
  }

  list(): FatListing {
    this.#directory(this.#root, '', 0);
    return { files: this.#files, structure: this.#structure, isHiding: this.#isHiding };
  }

  #directory(first: number, prefix: string, depth: number): void {
    if (depth > DEEPEST) return;
    const seen = new Set(['.', '..']);
    for (const { name, record } of namesIn(this.#records(first))) {
      const attributes = record[11] ?? 0;
      const path = `${prefix}${shown(name)}`;
      if ((attributes & ATTRIBUTES.label) !== 0 || seen.has(name.toLowerCase())) continue;
      seen.add(name.toLowerCase());
      if ((attributes & ATTRIBUTES.directory) === 0) this.#files.push(this.#file(path, record));
      else this.#directory(firstCluster(record), `${path}/`, depth + 1);
    }
  }

  /** Returns the records of a directory up to its end marker. */
  *#records(first: number): Generator<Uint8Array> {
    let isOver = false;
    for (const record of this.#slots(first)) {
      if (record[0] === UNUSED) isOver = true;
      else if (!isOver) yield record;
      else if (record[0] !== REMOVED) this.#isHiding = true;
    }
  }

  /** Returns every slot of a directory, cluster by cluster. */
  *#slots(first: number): Generator<Uint8Array> {
    const seen = new Set<number>();
    for (let cluster = first; this.#isData(cluster) && !seen.has(cluster); ) {
      seen.add(cluster);
      const { start, length } = this.#runOf(cluster);
      this.#structure.push({ start, length });
      for (let offset = start; offset < start + length; offset += RECORD)
        yield this.#image.subarray(offset, offset + RECORD);
      cluster = this.#next(cluster);
    }
  }

  #file(path: string, record: Uint8Array): FatFile {
    let rest = new DataView(record.buffer, record.byteOffset, RECORD).getUint32(28, true);
    const runs: { start: number; length: number }[] = [];
    // A chain that bites its tail ends with the size of the file.
    for (let cluster = firstCluster(record); rest > 0; cluster = this.#next(cluster)) {
      if (!this.#isData(cluster)) break;
      const { start } = this.#runOf(cluster);
      const length = Math.min(this.#clusterSize, rest);
      const last = runs.at(-1);
      if (last !== undefined && last.start + last.length === start) last.length += length;
      else runs.push({ start, length });
      rest -= length;
    }
    const slot = record.byteOffset - this.#image.byteOffset;
    return { path, slot, runs, isCutOff: rest > 0 };
  }

  #next(cluster: number): number {
    return this.#view.getUint32(this.#table + 4 * cluster, true) & 0x0fffffff;
  }

  #isData(cluster: number): boolean {
    return cluster >= 2 && cluster < this.#clusters + 2;
  }

  #runOf(cluster: number): Run {
    return {
      start: this.#data + (cluster - 2) * this.#clusterSize,
      length: this.#clusterSize,
    };
  }
}

const UNUSED = 0;
const REMOVED = 0xe5;

function firstCluster(record: Uint8Array): number {
  const view = new DataView(record.buffer, record.byteOffset, RECORD);
  return ((view.getUint16(20, true) << 16) | view.getUint16(26, true)) & 0x0fffffff;
}

/** Puts names together: a long one where there is one for the record, else the short one. */
function* namesIn(records: Iterable<Uint8Array>): Generator<{ name: string; record: Uint8Array }> {
  let long: LongName | undefined;
  for (const record of records) {
    if (record[0] === REMOVED) long = undefined;
    else if (((record[11] ?? 0) & 0x3f) === ATTRIBUTES.longName) long = longer(long, record);
    else {
      yield { name: long && isFor(long, record) ? long.text : shortName(record), record };
      long = undefined;
    }
  }
}

/** The parts of a long name so far; they lie backwards, before the record that they are for. */
interface LongName {
  readonly next: number;
  readonly checksum: number;
  readonly text: string;
}

/** Places of the thirteen UTF-16 units in a part of a long name (FAT §Long Directory Entry). */
const UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];

function longer(long: LongName | undefined, record: Uint8Array): LongName | undefined {
  const view = new DataView(record.buffer, record.byteOffset, RECORD);
  const [order, checksum] = [view.getUint8(0), view.getUint8(13)];
  const isLast = (order & 0x40) !== 0;
  const number = order & 0x3f;
  if (number === 0) return undefined;
  if (!isLast && (long?.next !== number || long.checksum !== checksum)) return undefined;
  const units = UNITS.map((offset) => view.getUint16(offset, true));
  const end = units.indexOf(0);
  const text = String.fromCharCode(...(end < 0 ? units : units.slice(0, end)));
  return { next: number - 1, checksum, text: isLast ? text : `${text}${long?.text}` };
}

function isFor({ next, checksum }: LongName, record: Uint8Array): boolean {
  const sum = record
    .subarray(0, 11)
    .reduce((value, byte) => (((value & 1) << 7) + (value >> 1) + byte) & 0xff, 0);
  return next === 0 && checksum === sum;
}

/** Where a directory is no directory, its names are no names; `_` takes the place of what none can hold. */
function shown(name: string): string {
  return name.replace(/[^ -.0-~]/g, '_') || '_';
}

/** The bits that say of a short name that its base, or its extension, is shown in lower case. */
const LOWER = { base: 0x08, extension: 0x10 } as const;

function shortName(record: Uint8Array): string {
  const bytes = Uint8Array.from(record.subarray(0, 11));
  if (bytes[0] === 0x05) bytes[0] = 0xe5;
  const text = new TextDecoder('latin1').decode(bytes);
  const flags = record[12] ?? 0;
  const [base = '', extension = ''] = [
    [text.slice(0, 8), LOWER.base] as const,
    [text.slice(8), LOWER.extension] as const,
  ].map(([part, lower]) => ((flags & lower) === 0 ? part : part.toLowerCase()).trimEnd());
  return extension === '' ? base : `${base}.${extension}`;
}
