/**
 * Reads the attribute certificate table at the end of a signed image, and adds a signature to it.
 */
import type { ByteSource, Range } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { authenticodeRanges, CERTIFICATE_ENTRY_SIZE } from './authenticode.ts';
import { type ImageLayout, type Piece, pieceSize, roundUp } from './image-layout.ts';
import { type Pe, parsePe } from './pe.ts';

/** New bytes for an offset of a file. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const ENTRY_HEADER_SIZE = 8;
const ENTRY_ALIGNMENT = 8;
const REVISION_2 = 0x0200;
const PKCS_SIGNED_DATA = 0x0002;
const MAX_TABLE_SIZE = 1024 * 1024;
const UNSIGNED: Range = { offset: 0, size: 0 };

/**
 * Returns the PKCS#7 blobs of an image's certificate table, in order (PE/COFF §Attribute
 * Certificate Table). Entries of other kinds are skipped. Zeros may follow the DER in a blob.
 * @throws {SIGNATURE_MALFORMED} when an entry does not fit the table
 */
export function certificateTable(source: ByteSource, pe: Pe): readonly Uint8Array[] {
  const { offset, size } = pe.certificateTable;
  if (size > MAX_TABLE_SIZE) throw malformed(offset, `at most ${MAX_TABLE_SIZE} bytes`, size);
  const table = source.read(offset, size);
  if (table.length < size) throw malformed(offset, `${size} bytes`, table.length);

  const view = new DataView(table.buffer, table.byteOffset, size);
  const blobs: Uint8Array[] = [];
  for (let at = 0; at < size; ) {
    const left = size - at;
    if (left < ENTRY_HEADER_SIZE)
      throw malformed(offset + at, `an entry of at least ${ENTRY_HEADER_SIZE} bytes`, left);
    const length = view.getUint32(at, true);
    if (length <= ENTRY_HEADER_SIZE || length > left)
      throw malformed(offset + at, `an entry of ${ENTRY_HEADER_SIZE + 1} to ${left} bytes`, length);
    const isOurs = view.getUint16(at + 4, true) === REVISION_2;
    if (isOurs && view.getUint16(at + 6, true) === PKCS_SIGNED_DATA)
      blobs.push(table.subarray(at + ENTRY_HEADER_SIZE, at + length));
    at += roundUp(length, ENTRY_ALIGNMENT);
  }
  return blobs;
}

/** One more signature for an image: the bytes to append, and the header field to overwrite. */
export interface AttachedSignature {
  /** The bytes to append to the file. */
  readonly append: Uint8Array;
  /** Data directory entry 4, which says where the table is. */
  readonly entry: Patch;
}

/**
 * Returns what attaches a PKCS#7 signature to an image as its last entry. Earlier entries stay in
 * place. The digest that is signed covers none of these bytes.
 * @param image `size` in bytes, a multiple of 8 when the image has no table yet
 * @throws {SIGNATURE_MALFORMED} when an existing table is not the end of the file
 */
export function attachSignature(
  image: {
    readonly size: number;
    readonly certificateEntryOffset: number;
    readonly certificateTable?: Range;
  },
  der: Uint8Array,
): AttachedSignature {
  const old = image.certificateTable ?? UNSIGNED;
  const offset = old.size > 0 ? old.offset : image.size;
  if (offset + old.size !== image.size)
    throw malformed(offset, `an end at ${image.size}`, offset + old.size);
  if (offset % ENTRY_ALIGNMENT !== 0) throw malformed(offset, 'an offset divisible by 8', offset);

  // The last existing entry may lack its padding.
  const padding = roundUp(old.size, ENTRY_ALIGNMENT) - old.size;
  const length = ENTRY_HEADER_SIZE + der.length;
  const append = new Uint8Array(padding + roundUp(length, ENTRY_ALIGNMENT));
  const view = new DataView(append.buffer);
  view.setUint32(padding, length, true);
  view.setUint16(padding + 4, REVISION_2, true);
  view.setUint16(padding + 6, PKCS_SIGNED_DATA, true);
  append.set(der, padding + ENTRY_HEADER_SIZE);

  const entry = new Uint8Array(CERTIFICATE_ENTRY_SIZE);
  new DataView(entry.buffer).setUint32(0, offset, true);
  new DataView(entry.buffer).setUint32(4, old.size + append.length, true);
  return { append, entry: { offset: image.certificateEntryOffset, bytes: entry } };
}

/**
 * Lays out a file, such as a kernel or boot loader from the store, with one more signature. Its
 * CheckSum becomes zero, which means that there is none.
 * @param path the file that the pieces of the layout name for the bytes of `source`
 * @throws {PE_MALFORMED} when the image is not whole
 * @throws {SIGNATURE_MALFORMED} when the existing certificate table is damaged
 */
export function signedLayout(source: ByteSource, path: string, der: Uint8Array): ImageLayout {
  const pe = parsePe(source, path);
  certificateTable(source, pe);
  const isSigned = pe.certificateTable.size > 0;
  const padded = isSigned ? source.size : roundUp(source.size, ENTRY_ALIGNMENT);
  const { certificateEntryOffset, checksumOffset } = pe;
  const image = { size: padded, certificateEntryOffset, certificateTable: pe.certificateTable };
  const { append, entry } = attachSignature(image, der);

  const headerEnd = certificateEntryOffset + CERTIFICATE_ENTRY_SIZE;
  // This must be a copy: `slice` of a Buffer would share the caller's bytes.
  const header = new Uint8Array(source.read(0, headerEnd));
  header.fill(0, checksumOffset, checksumOffset + 4);
  header.set(entry.bytes, entry.offset);
  const pieces: Piece[] = [
    { kind: 'bytes', bytes: header },
    { kind: 'file', path, offset: headerEnd, size: source.size - headerEnd },
    { kind: 'zeros', size: padded - source.size },
    { kind: 'bytes', bytes: append },
  ];
  return {
    size: padded + append.length,
    pieces: pieces.filter((piece) => pieceSize(piece) > 0),
    checksumOffset,
    certificateEntryOffset,
    digestRanges: authenticodeRanges({ ...pe, fileSize: padded }).ranges,
  };
}

/**
 * Returns the size in bytes of a file with one more signature of so many bytes. Every signature of one
 * key has the same size, so this does not ask the key.
 */
export function sizeOfSigned(source: ByteSource, path: string, signatureSize: number): number {
  return signedLayout(source, path, new Uint8Array(signatureSize)).size;
}

function malformed(offset: number, expected: string, got: number): EspError {
  return new EspError(
    'SIGNATURE_MALFORMED',
    `certificate table at offset ${offset}: expected ${expected}, got ${got}`,
  );
}
