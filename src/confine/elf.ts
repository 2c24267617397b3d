/**
 * Reads from ELF files which interpreter and libraries they need. Hostile input: everything is
 * bounded.
 */
import type { ByteSource } from '../byte-source.ts';
import { badExecutable } from './complaint.ts';

/**
 * What an ELF file tells the dynamic linker. Lists are as written: names, and paths with `$ORIGIN`.
 */
export interface Elf {
  /** 32 or 64. */
  readonly bits: number;
  /** `e_machine`. */
  readonly machine: number;
  readonly interpreter: string | undefined;
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
  /** `DF_1_NODEFLIB`: neither the cache nor the default directories are searched. */
  readonly ownDirectoriesOnly: boolean;
}

/** Tells ELF from anything else by the first four bytes: ELF §ELF Identification. */
export function isElf(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/** Where fields lie in a class, in bytes: ELF §ELF Header, §Program Header, §Dynamic Section. */
interface Layout {
  readonly bits: number;
  readonly header: number;
  readonly segments: number;
  readonly segmentSize: number;
  readonly segment: {
    readonly offset: number;
    readonly address: number;
    readonly fileSize: number;
    readonly length: number;
  };
  readonly word: number;
}

const LAYOUTS: Readonly<Record<number, Layout>> = {
  1: {
    bits: 32,
    header: 52,
    segments: 28,
    segmentSize: 42,
    segment: { offset: 4, address: 8, fileSize: 16, length: 32 },
    word: 4,
  },
  2: {
    bits: 64,
    header: 64,
    segments: 32,
    segmentSize: 54,
    segment: { offset: 8, address: 16, fileSize: 32, length: 56 },
    word: 8,
  },
};

const PT = { load: 1, dynamic: 2, interpreter: 3 } as const;
const DT = {
  needed: 1,
  stringTable: 5,
  stringSize: 10,
  soname: 14,
  rpath: 15,
  runpath: 29,
  flags1: 0x6ffffffb,
} as const;
const DF_1_NODEFLIB = 0x800;

/** No linker comes near these bounds: counts, and bytes for the last two. */
const MAX_SEGMENTS = 512;
const MAX_NEEDED = 2048;
const MAX_DYNAMIC = 256 * 1024;
const MAX_STRING = 4096;

/** A stretch of the file. `address` is where it lies in memory; offset and size are in bytes. */
interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/** Numbers in one stretch of a file, of its class and byte order. */
interface Fields {
  half(at: number): number;
  int(at: number): number;
  /** An address, an offset or a size: four bytes or eight. */
  word(at: number): number;
}

interface Reader {
  readonly layout: Layout;
  /** @throws {ELF_MALFORMED} when the bytes are not all there */
  fields(offset: number, length: number, what: string): Fields;
  /** Text up to its NUL. @throws {ELF_MALFORMED} when it has none within {@link MAX_STRING} bytes */
  string(offset: number, what: string): string;
  complain(what: string, expected: string, got: number | string): Error;
}

/**
 * Reads what a file asks of the dynamic linker.
 * @param name the file's name in errors
 * @throws {ELF_MALFORMED} naming the file, what is wrong in it, expected and got
 */
export function readElf(source: ByteSource, name: string): Elf {
  const reader = openReader(source, name);
  const header = reader.fields(0, reader.layout.header, 'header');
  const segments = readSegments(reader, header);
  const interpreter = segments.find(({ type }) => type === PT.interpreter);
  return {
    bits: reader.layout.bits,
    machine: header.half(18),
    interpreter: interpreter && reader.string(interpreter.offset, 'interpreter'),
    ...readDynamic(reader, segments),
  };
}

function openReader(source: ByteSource, name: string): Reader {
  const complain = (what: string, expected: string, got: number | string): Error =>
    badExecutable(`${name}: ${what}: expected ${expected}, got ${got}`);
  const identification = source.read(0, 16);
  const layout = LAYOUTS[identification[4] ?? 0];
  const order = identification[5];
  if (!isElf(identification)) throw complain('first bytes', 'those of ELF', 'others');
  if (!layout) throw complain('class', '1 or 2', identification[4] ?? 'the end');
  if (order !== 1 && order !== 2) throw complain('byte order', '1 or 2', order ?? 'the end');
  return {
    layout,
    complain,
    fields(offset, length, what) {
      // A 64-bit offset may be any number; it only has to lie in the file.
      const inside = offset + length <= source.size;
      const bytes = inside ? source.read(offset, length) : new Uint8Array(0);
      if (bytes.length === length) return fieldsOf(bytes, order === 1, layout);
      throw complain(what, `${length} bytes at offset ${offset}`, `a file of ${source.size} bytes`);
    },
    string(offset, what) {
      const bytes = offset < source.size ? source.read(offset, MAX_STRING) : new Uint8Array(0);
      const end = bytes.indexOf(0);
      if (end >= 0) return new TextDecoder().decode(bytes.subarray(0, end));
      throw complain(what, `text at offset ${offset} that ends`, 'none');
    },
  };
}

function fieldsOf(bytes: Uint8Array, little: boolean, { word }: Layout): Fields {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    half: (at) => view.getUint16(at, little),
    int: (at) => view.getUint32(at, little),
    word: (at) => (word === 4 ? view.getUint32(at, little) : Number(view.getBigUint64(at, little))),
  };
}

function readSegments(reader: Reader, header: Fields): Segment[] {
  const { layout, complain } = reader;
  const { length, offset, address, fileSize } = layout.segment;
  const size = header.half(layout.segmentSize);
  const count = header.half(layout.segmentSize + 2);
  if (count === 0) return [];
  if (size !== length) throw complain('size of a program header', `${length} bytes`, size);
  if (count > MAX_SEGMENTS) throw complain('program headers', `at most ${MAX_SEGMENTS}`, count);
  const table = reader.fields(header.word(layout.segments), count * length, 'program headers');
  return Array.from({ length: count }, (_, index) => ({
    type: table.int(index * length),
    offset: table.word(index * length + offset),
    address: table.word(index * length + address),
    size: table.word(index * length + fileSize),
  }));
}

type Dynamic = Pick<Elf, 'needed' | 'soname' | 'rpath' | 'runpath' | 'ownDirectoriesOnly'>;

const STATIC: Dynamic = {
  needed: [],
  soname: undefined,
  rpath: [],
  runpath: [],
  ownDirectoriesOnly: false,
};

function readDynamic(reader: Reader, segments: readonly Segment[]): Dynamic {
  const segment = segments.find(({ type }) => type === PT.dynamic);
  if (!segment) return STATIC;
  const values = readTags(reader, segment);
  const [table] = values.get(DT.stringTable) ?? [];
  if (table === undefined) return STATIC;
  const strings = fileOffset(reader, segments, table);
  const [size = Number.POSITIVE_INFINITY] = values.get(DT.stringSize) ?? [];
  const text = (tag: number, what: string): string[] =>
    (values.get(tag) ?? []).map((at) => {
      if (at < size) return reader.string(strings + at, what);
      throw reader.complain(what, `an offset below ${size} in the strings`, at);
    });
  const paths = (tag: number, what: string): string[] =>
    text(tag, what).flatMap((list) => list.split(':').filter((path) => path !== ''));
  const [flags = 0] = values.get(DT.flags1) ?? [];
  return {
    needed: text(DT.needed, 'needed library'),
    soname: text(DT.soname, 'name of the library')[0],
    rpath: paths(DT.rpath, 'RPATH'),
    runpath: paths(DT.runpath, 'RUNPATH'),
    ownDirectoriesOnly: Math.floor(flags / DF_1_NODEFLIB) % 2 === 1,
  };
}

/** The values of each tag of the dynamic section, up to `DT_NULL`. */
function readTags(reader: Reader, { offset, size }: Segment): Map<number, number[]> {
  const { word } = reader.layout;
  if (size > MAX_DYNAMIC) {
    throw reader.complain('dynamic section', `at most ${MAX_DYNAMIC} bytes`, size);
  }
  const fields = reader.fields(offset, size, 'dynamic section');
  const values = new Map<number, number[]>();
  for (let at = 0; at + 2 * word <= size; at += 2 * word) {
    const tag = fields.word(at);
    if (tag === 0) break;
    values.set(tag, [...(values.get(tag) ?? []).slice(0, MAX_NEEDED), fields.word(at + word)]);
  }
  const count = values.get(DT.needed)?.length ?? 0;
  if (count <= MAX_NEEDED) return values;
  throw reader.complain('needed libraries', `at most ${MAX_NEEDED}`, count);
}

/** Where in the file the byte at a memory address lies: ELF §Program Loading. */
function fileOffset(reader: Reader, segments: readonly Segment[], at: number): number {
  const home = segments.find(
    ({ type, address, size }) => type === PT.load && at >= address && at < address + size,
  );
  if (home) return home.offset + (at - home.address);
  throw reader.complain('string table', 'an address in a loaded segment', at);
}
