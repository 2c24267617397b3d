/** Small PE images for tests, made field by field, and the bytes a layout stands for. */
import { type ImageLayout, type Piece, roundUp } from '../../src/pe/image-layout.ts';

/** A section of a test image; addresses follow from the order when they are not given. */
export interface ASection {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly virtualAddress?: number;
}

/** What may differ between test images. Sizes in bytes. */
export interface APe {
  readonly kind?: 'PE32' | 'PE32+';
  readonly sections?: readonly ASection[];
  readonly sectionAlignment?: number;
  readonly fileAlignment?: number;
  readonly sizeOfHeaders?: number;
  readonly dllCharacteristics?: number;
  readonly symbols?: Uint8Array;
  /** Written behind the image and named by data directory 4. */
  readonly certificateTable?: Uint8Array;
}

export const PE_OFFSET = 0x40;
export const OPTIONAL_HEADER = PE_OFFSET + 24;

/** Returns bytes that count up, to tell one place from another. */
export function countingBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251);
}

/** Returns the bytes of a PE image that is whole. */
export function aPe(options: APe = {}): Uint8Array {
  const { kind = 'PE32+', sectionAlignment = 0x1000, fileAlignment = 0x200 } = options;
  const { sections = [{ name: '.text', bytes: countingBytes(700) }] } = options;
  const optionalHeaderSize = kind === 'PE32' ? 96 + 128 : 112 + 128;
  const table = OPTIONAL_HEADER + optionalHeaderSize;
  const headers = options.sizeOfHeaders ?? roundUp(table + 40 * sections.length, fileAlignment);

  const bodies: Uint8Array[] = [];
  let pointer = headers;
  let address = roundUp(headers, sectionAlignment);
  const rows = sections.map(({ name, bytes, virtualAddress }) => {
    const raw = new Uint8Array(roundUp(bytes.length, fileAlignment));
    raw.set(bytes);
    bodies.push(raw);
    const at = virtualAddress ?? address;
    const row = { name, size: bytes.length, address: at, raw: raw.length, pointer };
    pointer += raw.length;
    address = roundUp(at + bytes.length, sectionAlignment);
    return row;
  });

  const symbols = options.symbols ?? new Uint8Array();
  const certificates = options.certificateTable ?? new Uint8Array();
  const header = new Uint8Array(headers);
  const view = new DataView(header.buffer);
  view.setUint16(0, 0x5a4d, true);
  view.setUint32(0x3c, PE_OFFSET, true);
  view.setUint32(PE_OFFSET, 0x4550, true);
  view.setUint16(PE_OFFSET + 4, 0x8664, true);
  view.setUint16(PE_OFFSET + 6, rows.length, true);
  view.setUint32(PE_OFFSET + 12, symbols.length > 0 ? pointer : 0, true);
  view.setUint32(PE_OFFSET + 16, Math.floor(symbols.length / 18), true);
  view.setUint16(PE_OFFSET + 20, optionalHeaderSize, true);
  view.setUint16(PE_OFFSET + 22, 0x0226, true);
  view.setUint16(OPTIONAL_HEADER, kind === 'PE32' ? 0x10b : 0x20b, true);
  view.setUint32(OPTIONAL_HEADER + 8, 0x400, true);
  view.setUint32(OPTIONAL_HEADER + 32, sectionAlignment, true);
  view.setUint32(OPTIONAL_HEADER + 36, fileAlignment, true);
  view.setUint16(OPTIONAL_HEADER + 44, 257, true);
  view.setUint32(OPTIONAL_HEADER + 56, address, true);
  view.setUint32(OPTIONAL_HEADER + 60, headers, true);
  view.setUint32(OPTIONAL_HEADER + 64, 0x1234, true);
  view.setUint16(OPTIONAL_HEADER + 68, 10, true);
  view.setUint16(OPTIONAL_HEADER + 70, options.dllCharacteristics ?? 0x0160, true);
  const directories = OPTIONAL_HEADER + (kind === 'PE32' ? 96 : 112);
  view.setUint32(directories - 4, 16, true);
  if (certificates.length > 0) {
    view.setUint32(directories + 32, pointer + symbols.length, true);
    view.setUint32(directories + 36, certificates.length, true);
  }
  rows.forEach((row, index) => {
    const at = table + 40 * index;
    header.set(new TextEncoder().encode(row.name), at);
    view.setUint32(at + 8, row.size, true);
    view.setUint32(at + 12, row.address, true);
    view.setUint32(at + 16, row.raw, true);
    view.setUint32(at + 20, row.raw > 0 ? row.pointer : 0, true);
    view.setUint32(at + 36, 0x6000_0020, true);
  });
  return concat([header, ...bodies, symbols, certificates]);
}

/** Returns a certificate table entry, padded to 8 bytes. */
export function aCertificateEntry(blob: Uint8Array, type = 2, revision = 0x0200): Uint8Array {
  const entry = new Uint8Array(roundUp(8 + blob.length, 8));
  const view = new DataView(entry.buffer);
  view.setUint32(0, 8 + blob.length, true);
  view.setUint16(4, revision, true);
  view.setUint16(6, type, true);
  entry.set(blob, 8);
  return entry;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Returns the bytes that pieces stand for; files are looked up by path. */
export function piecesBytes(
  pieces: readonly Piece[],
  files: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  return concat(
    pieces.map((piece) => {
      if (piece.kind === 'bytes') return piece.bytes;
      if (piece.kind === 'zeros') return new Uint8Array(piece.size);
      const bytes = files[piece.path]?.subarray(piece.offset, piece.offset + piece.size);
      if (bytes?.length !== piece.size) throw new Error(`${piece.path} has no such bytes`);
      return bytes;
    }),
  );
}

export function layoutBytes(
  layout: ImageLayout,
  files: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array {
  return piecesBytes(layout.pieces, files);
}
