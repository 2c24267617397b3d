/** Adds sections to a stub, in the PE layout that ukify writes, as pieces to stream. */
import { bytesSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { packedRanges } from './authenticode.ts';
import {
  type Content,
  contentPieces,
  contentSize,
  type ImageLayout,
  type Piece,
  pieceSize,
  roundUp,
} from './image-layout.ts';
import {
  MAX_SECTIONS,
  NX_COMPAT,
  type Pe,
  parsePe,
  SECTION_HEADER_SIZE,
  type Section,
} from './pe.ts';

/** A section to add. `code` marks it as code, which ukify does for `.linux` alone. */
export interface NewSection {
  readonly name: string;
  readonly content: Content;
  readonly code?: boolean;
}

/** A row of the section table that is being made, with the pieces of its raw data. */
interface Row {
  readonly section: Section;
  readonly raw: readonly Piece[];
  /** The 40 bytes of the stub's row, or zeros. */
  readonly header: Uint8Array;
}

const CODE_READ = 0x4000_0020;
const DATA_READ = 0x4000_0040;
const LOCAL_SYMBOLS_STRIPPED = 0x0008;
const MAX_FILE_ALIGNMENT = 0x1_0000;
const MAX_SECTION_ALIGNMENT = 0x100_0000;
const MAX_U32 = 2 ** 32 - 1;

/** The new name of a stub's section when a longer one takes its name. Nothing reads it. */
const RETIRED = '.retired';

/**
 * Lays out a stub with more sections behind its own (PE/COFF §Section Table; UKI §PE sections).
 *
 * A section that the stub has already is replaced in place. Where the new content does not fit, the
 * stub's section is renamed to `.retired` and the new one is appended. The headers grow with the
 * table, up to the address of the first section. Bytes outside all sections, such as a symbol
 * table, are dropped. Empty sections are not written.
 * @param options.nxCompat false clears NX_COMPAT, which is needed when the kernel does not set it
 * @throws {PE_MALFORMED} when the stub is damaged, signed or without room for the section headers,
 * and when the image would reach 4 GiB
 */
export function appendSections(
  stub: Uint8Array,
  sections: readonly NewSection[],
  options: { readonly nxCompat?: boolean } = {},
): ImageLayout {
  const pe = parsePe(bytesSource(stub), 'stub');
  requireUsable(pe);
  let rows = stubRows(stub, pe);
  for (const section of sections)
    if (contentSize(section.content) > 0) rows = addRow(rows, section, pe);

  const sizeOfHeaders = headerSize(pe, rows.length);
  const packed = pack(rows, sizeOfHeaders);
  const header = headerBytes(stub, pe, packed, sizeOfHeaders);
  if (options.nxCompat === false) clearNxCompat(header, pe);
  const pieces: Piece[] = [{ kind: 'bytes', bytes: header }, ...inFileOrder(packed)];
  const sizes = pieces.map(pieceSize);
  const size = requireU32(
    sizes.reduce((sum, next) => sum + next, 0),
    'file size',
  );
  const { checksumOffset, certificateEntryOffset } = pe;
  const digestRanges = packedRanges(pe, size);
  return { size, pieces, checksumOffset, certificateEntryOffset, digestRanges };
}

function requireUsable(pe: Pe): void {
  const { offset, size } = pe.certificateTable;
  if (offset !== 0 || size !== 0)
    throw unusable('certificate table', 'none, as a signature would not survive', `${size} bytes`);
  requireAlignment('FileAlignment', pe.fileAlignment, 8, MAX_FILE_ALIGNMENT);
  requireAlignment('SectionAlignment', pe.sectionAlignment, 8, MAX_SECTION_ALIGNMENT);
  if (pe.sections.length === 0) throw unusable('section table', 'at least one section', 'none');
}

function requireAlignment(field: string, value: number, least: number, most: number): void {
  const isPower = value > 0 && (value & (value - 1)) === 0;
  if (!isPower || value < least || value > most)
    throw unusable(field, `a power of two from ${least} to ${most}`, `${value}`);
}

/** Returns the stub's own sections, their raw data filled up to FileAlignment. */
function stubRows(stub: Uint8Array, pe: Pe): Row[] {
  return pe.sections.map((section, index) => {
    const { pointerToRawData: start, sizeOfRawData: size } = section;
    const at = pe.sectionTableOffset + index * SECTION_HEADER_SIZE;
    const content: Content = { kind: 'bytes', bytes: stub.subarray(start, start + size) };
    return {
      section: { ...section, sizeOfRawData: roundUp(size, pe.fileAlignment) },
      raw: size > 0 ? paddedTo(content, roundUp(size, pe.fileAlignment)) : [],
      header: stub.subarray(at, at + SECTION_HEADER_SIZE),
    };
  });
}

/** Returns the rows with a new one, or with the stub's row of that name replaced. */
function addRow(rows: readonly Row[], added: NewSection, pe: Pe): Row[] {
  const index = rows.findIndex(
    ({ section }, at) => at < pe.sections.length && section.name === added.name,
  );
  const own = rows[index];
  if (own === undefined) return [...rows, newRow(rows, added, pe)];
  if (contentSize(added.content) <= roomInPlace(rows, own.section))
    return rows.with(index, {
      ...own,
      section: { ...own.section, virtualSize: contentSize(added.content) },
      raw: paddedTo(added.content, own.section.sizeOfRawData),
    });
  const retired = { ...own, section: { ...own.section, name: RETIRED } };
  return [...rows.with(index, retired), newRow(rows, added, pe)];
}

/**
 * Returns how many bytes fit into a section without touching the next one. The file limits them to
 * its raw data. In memory the next section can be nearer, as in the stub of systemd 252.
 */
function roomInPlace(rows: readonly Row[], own: Section): number {
  const next = rows
    .map(({ section }) => section.virtualAddress)
    .filter((address) => address > own.virtualAddress);
  return Math.min(own.sizeOfRawData, Math.min(...next) - own.virtualAddress);
}

function newRow(rows: readonly Row[], { name, content, code }: NewSection, pe: Pe): Row {
  const size = contentSize(content);
  const sizeOfRawData = roundUp(size, pe.fileAlignment);
  const section: Section = {
    name: requireName(name),
    virtualSize: size,
    virtualAddress: roundUp(endAddress(rows), pe.sectionAlignment),
    sizeOfRawData,
    pointerToRawData: 0,
    characteristics: code === true ? CODE_READ : DATA_READ,
  };
  return { section, raw: paddedTo(content, sizeOfRawData), header: new Uint8Array() };
}

function requireName(name: string): string {
  if (!/^[!-~]{1,8}$/.test(name)) throw new RangeError(`"name" expected 1 to 8 bytes, got ${name}`);
  return name;
}

function endAddress(rows: readonly Row[]): number {
  return Math.max(...rows.map(({ section }) => section.virtualAddress + section.virtualSize));
}

function paddedTo(content: Content, size: number): Piece[] {
  const padding = size - contentSize(content);
  const pieces = contentPieces(content);
  return padding > 0 ? [...pieces, { kind: 'zeros', size: padding }] : [...pieces];
}

/**
 * Returns SizeOfHeaders. It grows with the section table, and no section may start inside the
 * headers.
 */
function headerSize(pe: Pe, count: number): number {
  const tableEnd = pe.sectionTableOffset + count * SECTION_HEADER_SIZE;
  const size = roundUp(Math.max(pe.sizeOfHeaders, tableEnd), pe.fileAlignment);
  const first = Math.min(...pe.sections.map(({ virtualAddress }) => virtualAddress));
  if (size <= first) return size;
  const slots = slotsOf(pe);
  throw unusable('section headers', `at most ${slots} to fit below the first section`, `${count}`);
}

/** Returns how many rows a section table can have when the headers grow as far as they may. */
function slotsOf({ sections, fileAlignment, sectionTableOffset }: Pe): number {
  const first = Math.min(...sections.map(({ virtualAddress }) => virtualAddress));
  const room = Math.floor(first / fileAlignment) * fileAlignment - sectionTableOffset;
  return Math.max(0, Math.floor(room / SECTION_HEADER_SIZE));
}

/** Returns how many sections can be added to a stub (PE/COFF §Section Table). */
export function roomForSections(pe: Pe): number {
  return Math.max(0, Math.min(slotsOf(pe), MAX_SECTIONS) - pe.sections.length);
}

/** Places every section in the file, one after the other, the stub's in their old order. */
function pack(rows: readonly Row[], sizeOfHeaders: number): Row[] {
  let end = sizeOfHeaders;
  const pointers = new Map<Row, number>();
  for (const row of rows.toSorted(byFileOrder)) {
    if (row.section.sizeOfRawData === 0) continue;
    pointers.set(row, end);
    end += row.section.sizeOfRawData;
  }
  return rows.map((row) => ({
    ...row,
    section: { ...row.section, pointerToRawData: pointers.get(row) ?? 0 },
  }));
}

/** New sections have no pointer yet. The stable sort keeps them behind the stub's. */
function byFileOrder(a: Row, b: Row): number {
  const place = ({ section }: Row) => section.pointerToRawData || Number.MAX_SAFE_INTEGER;
  return place(a) - place(b);
}

function inFileOrder(packed: readonly Row[]): Piece[] {
  return packed.toSorted(byFileOrder).flatMap(({ raw }) => raw);
}

/** Returns the stub's headers, with every field updated that the new sections change. */
function headerBytes(stub: Uint8Array, pe: Pe, rows: readonly Row[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(stub.subarray(0, pe.sizeOfHeaders));
  const view = new DataView(bytes.buffer);
  const hadSymbols = view.getUint32(pe.peOffset + 12, true) !== 0;
  const newSizes = rows.slice(pe.sections.length).map(({ section }) => section.virtualSize);
  const initialized = newSizes.reduce((sum, next) => sum + next, pe.sizeOfInitializedData);
  const sizeOfImage = roundUp(endAddress(rows), pe.sectionAlignment);

  view.setUint16(pe.peOffset + 6, rows.length, true);
  view.setUint32(pe.peOffset + 12, 0, true); // PointerToSymbolTable
  view.setUint32(pe.peOffset + 16, 0, true); // NumberOfSymbols
  const stripped = hadSymbols ? LOCAL_SYMBOLS_STRIPPED : 0;
  view.setUint16(pe.peOffset + 22, pe.characteristics | stripped, true);
  const sizeOfData = requireU32(initialized, 'SizeOfInitializedData');
  view.setUint32(pe.optionalHeaderOffset + 8, sizeOfData, true);
  view.setUint32(pe.optionalHeaderOffset + 56, requireU32(sizeOfImage, 'SizeOfImage'), true);
  view.setUint32(pe.optionalHeaderOffset + 60, size, true);
  view.setUint32(pe.checksumOffset, 0, true);
  rows.forEach((row, index) => {
    const at = pe.sectionTableOffset + index * SECTION_HEADER_SIZE;
    bytes.set(sectionHeader(row), at);
  });
  return bytes;
}

function sectionHeader({ section, header }: Row): Uint8Array {
  const bytes = new Uint8Array(SECTION_HEADER_SIZE);
  bytes.set(header);
  bytes.fill(0, 0, 8);
  for (let at = 0; at < section.name.length; at++) bytes[at] = section.name.charCodeAt(at);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, section.virtualSize, true);
  view.setUint32(12, section.virtualAddress, true);
  view.setUint32(16, section.sizeOfRawData, true);
  view.setUint32(20, section.pointerToRawData, true);
  view.setUint32(36, section.characteristics, true);
  return bytes;
}

function clearNxCompat(header: Uint8Array, pe: Pe): void {
  const at = pe.optionalHeaderOffset + 70;
  new DataView(header.buffer).setUint16(at, pe.dllCharacteristics & ~NX_COMPAT, true);
}

/** Every size and address in an image has 32 bits, as has a file's size on FAT32. */
function requireU32(value: number, field: string): number {
  if (value <= MAX_U32) return value;
  throw unusable(field, 'less than 4 GiB', `${value}`);
}

function unusable(what: string, expected: string, got: string): EspError {
  return new EspError('PE_MALFORMED', `stub: ${what}: expected ${expected}, got ${got}`);
}
