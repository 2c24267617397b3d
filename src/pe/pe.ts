/**
 * Reads the PE/COFF headers of an untrusted file: where everything lies, and whether the file is
 * whole.
 */

import { type ByteSource, type Range, readExactly } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import { type Header, hex, openHeader } from './header.ts';

/** One section header (PE/COFF §Section Table). Sizes in bytes; the name without its NUL padding. */
export interface Section {
  readonly name: string;
  readonly virtualSize: number;
  readonly virtualAddress: number;
  readonly sizeOfRawData: number;
  readonly pointerToRawData: number;
  readonly characteristics: number;
}

/**
 * The headers of a whole image. Sizes in bytes. Fields named `…Offset` are file offsets, for
 * patches.
 */
export interface Pe {
  readonly kind: 'PE32' | 'PE32+';
  readonly fileSize: number;
  readonly machine: number;
  readonly characteristics: number;
  readonly subsystem: number;
  readonly dllCharacteristics: number;
  readonly majorImageVersion: number;
  readonly minorImageVersion: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfInitializedData: number;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly peOffset: number;
  readonly optionalHeaderOffset: number;
  readonly checksumOffset: number;
  readonly certificateEntryOffset: number;
  readonly sectionTableOffset: number;
  /** Data directory 4. Its address is a file offset, and its size is 0 in an unsigned image. */
  readonly certificateTable: Range;
  /** The sections in the order of the section table. */
  readonly sections: readonly Section[];
}

/** DllCharacteristics: the image runs when its data cannot be executed. */
export const NX_COMPAT = 0x0100;
/** Bytes of one section header. */
export const SECTION_HEADER_SIZE = 40;

const COFF_HEADER_SIZE = 24;
/** More sections than any image has: every one costs a row to read. */
export const MAX_SECTIONS = 512;
const CERTIFICATE_DIRECTORY = 4;

/** The two optional headers, told apart by their magic, and where the data directories start in each. */
const optionalHeaders = [
  { magic: 0x10b, kind: 'PE32', directories: 96 },
  { magic: 0x20b, kind: 'PE32+', directories: 112 },
] as const;

/**
 * Reads the headers of a PE image and checks everything that they say about the file. So a returned
 * image is whole: headers and file size are enough to recognise a truncated one.
 * @param name the image's name in errors
 * @throws {PE_MALFORMED} when a header is damaged, or something it names is not in the file
 */
export function parsePe(source: ByteSource, name = 'no whole EFI program'): Pe {
  const header = openHeader(source, name);
  if (header.u16(0) !== 0x5a4d) throw header.fault('DOS header', 0, '"MZ"', hex(header.u16(0)));
  const peOffset = header.u32(0x3c);
  if (header.u32(peOffset) !== 0x4550)
    throw header.fault('signature', peOffset, '"PE\\0\\0"', hex(header.u32(peOffset)));

  const optionalHeaderOffset = peOffset + COFF_HEADER_SIZE;
  const optionalHeaderSize = header.u16(peOffset + 20);
  const { kind, entry } = certificateEntry(header, optionalHeaderOffset, optionalHeaderSize);
  const sectionTableOffset = optionalHeaderOffset + optionalHeaderSize;
  const pe: Pe = {
    kind,
    fileSize: source.size,
    machine: header.u16(peOffset + 4),
    characteristics: header.u16(peOffset + 22),
    sizeOfInitializedData: header.u32(optionalHeaderOffset + 8),
    sectionAlignment: header.u32(optionalHeaderOffset + 32),
    fileAlignment: header.u32(optionalHeaderOffset + 36),
    majorImageVersion: header.u16(optionalHeaderOffset + 44),
    minorImageVersion: header.u16(optionalHeaderOffset + 46),
    sizeOfImage: header.u32(optionalHeaderOffset + 56),
    sizeOfHeaders: header.u32(optionalHeaderOffset + 60),
    subsystem: header.u16(optionalHeaderOffset + 68),
    dllCharacteristics: header.u16(optionalHeaderOffset + 70),
    peOffset,
    optionalHeaderOffset,
    checksumOffset: optionalHeaderOffset + 64,
    certificateEntryOffset: entry,
    sectionTableOffset,
    certificateTable: { offset: header.u32(entry), size: header.u32(entry + 4) },
    sections: readSections(header, sectionTableOffset, header.u16(peOffset + 6)),
  };
  requireWhole(pe, header);
  return pe;
}

/** Tells PE32 from PE32+, and returns where data directory entry 4 lies. */
function certificateEntry(header: Header, optionalHeader: number, size: number) {
  const magic = header.u16(optionalHeader);
  const known = optionalHeaders.find((row) => row.magic === magic);
  if (known === undefined)
    throw header.fault('optional header magic', optionalHeader, '0x10b or 0x20b', hex(magic));
  const { kind, directories } = known;
  const count = header.u32(optionalHeader + directories - 4);
  const fits = directories + 8 * count <= size;
  if (count <= CERTIFICATE_DIRECTORY || !fits) {
    const most = Math.max(0, Math.floor((size - directories) / 8));
    const at = optionalHeader + directories - 4;
    throw header.fault('NumberOfRvaAndSizes', at, `5 to ${most}`, `${count}`);
  }
  return { kind, entry: optionalHeader + directories + 8 * CERTIFICATE_DIRECTORY };
}

function readSections(header: Header, tableOffset: number, count: number): Section[] {
  const most = `at most ${MAX_SECTIONS} sections`;
  if (count > MAX_SECTIONS) throw header.fault('section table', tableOffset, most, `${count}`);
  const table = header.bytes(tableOffset, count * SECTION_HEADER_SIZE);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  return Array.from({ length: count }, (_, index) => {
    const at = index * SECTION_HEADER_SIZE;
    return {
      name: sectionName(table.subarray(at, at + 8)),
      virtualSize: view.getUint32(at + 8, true),
      virtualAddress: view.getUint32(at + 12, true),
      sizeOfRawData: view.getUint32(at + 16, true),
      pointerToRawData: view.getUint32(at + 20, true),
      characteristics: view.getUint32(at + 36, true),
    };
  });
}

/** Decodes byte by byte, so that two different names stay different. */
function sectionName(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** Returns the raw data of every section that has some, in file order, as the table says. */
export function rawRanges(pe: Pe): readonly Range[] {
  return pe.sections
    .filter((section) => section.sizeOfRawData > 0)
    .map((section) => ({ offset: section.pointerToRawData, size: section.sizeOfRawData }))
    .sort((a, b) => a.offset - b.offset);
}

/** Certificate tables are aligned to this, and so is the end of a signed file. */
const TABLE_ALIGNMENT = 8;

/** Returns how many bytes lie behind everything that the headers name. */
export function bytesBehind(pe: Pe): number {
  const { offset, size } = pe.certificateTable;
  const ends = rawRanges(pe).map((raw) => raw.offset + raw.size);
  const end = Math.max(pe.sizeOfHeaders, size > 0 ? offset + size : 0, ...ends);
  return Math.max(0, pe.fileSize - Math.ceil(end / TABLE_ALIGNMENT) * TABLE_ALIGNMENT);
}

function requireWhole(pe: Pe, header: Header): void {
  const tableEnd = pe.sectionTableOffset + pe.sections.length * SECTION_HEADER_SIZE;
  if (tableEnd > pe.sizeOfHeaders) {
    const at = pe.optionalHeaderOffset + 60;
    throw header.fault('SizeOfHeaders', at, `at least ${tableEnd}`, `${pe.sizeOfHeaders}`);
  }
  const runs = [
    { what: 'headers', offset: 0, size: pe.sizeOfHeaders },
    ...rawRanges(pe).map((raw) => ({ what: `raw data of ${nameAt(pe, raw)}`, ...raw })),
    { what: 'certificate table', ...pe.certificateTable },
  ].filter((run) => run.size > 0);
  let end = 0;
  for (const { what, offset, size } of runs) {
    if (offset < end) throw header.fault(what, offset, `a start at ${end} or later`, 'an overlap');
    end = offset + size;
    if (end > pe.fileSize) {
      const left = Math.max(0, pe.fileSize - offset);
      throw header.fault(what, offset, `${size} bytes`, `${left} before the file ends`);
    }
  }
}

function nameAt(pe: Pe, raw: Range): string {
  const section = pe.sections.find(({ pointerToRawData }) => pointerToRawData === raw.offset);
  return JSON.stringify(section?.name ?? '');
}

/** Returns the first section with this name. */
export function findSection(pe: Pe, name: string): Section | undefined {
  return pe.sections.find((section) => section.name === name);
}

/** Returns where the content of a section lies: its raw data without the padding. */
export function contentRange(section: Section): Range {
  return {
    offset: section.pointerToRawData,
    size: Math.min(section.virtualSize, section.sizeOfRawData),
  };
}

/**
 * Returns the content of a section, min(VirtualSize, SizeOfRawData) bytes.
 * @throws {FILE_TOO_LARGE} when that is more than `limit` bytes
 * @throws {SOURCE_CHANGED} when the source ends before its own size
 */
export function readSection(source: ByteSource, section: Section, limit: number): Uint8Array {
  const { offset, size } = contentRange(section);
  if (size > limit)
    throw new EspError(
      'FILE_TOO_LARGE',
      `section ${JSON.stringify(section.name)}: expected at most ${exactSize(limit)}, got ${exactSize(size)}`,
    );
  return readExactly(source, offset, size);
}
