/** Tells which bytes of an image the Authenticode digest covers, and in which order. */
import { type ByteSource, type Range, readRange } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { type ImageLayout, type Piece, slicePieces } from './image-layout.ts';
import { type Pe, parsePe, rawRanges } from './pe.ts';

/** Bytes of data directory entry 4. */
export const CERTIFICATE_ENTRY_SIZE = 8;
const CHECKSUM_SIZE = 4;

/** The ranges to hash, in this order, and then the number of zeros. */
export interface DigestInput {
  readonly ranges: readonly Range[];
  readonly padding: number;
}

/**
 * Returns what the Authenticode digest of an image covers (Windows Authenticode Portable Executable
 * Signature Format §Calculating the PE Image Hash; the numbers are the steps there). The padding is
 * what an unsigned file grows by before a table can be attached, so that signing keeps the digest.
 * @throws {SIGNATURE_MALFORMED} when the certificate table is not the end of the file
 */
export function authenticodeRanges(pe: Pe): DigestInput {
  const tableSize = requireTableAtEnd(pe).size;
  const afterEntry = pe.certificateEntryOffset + CERTIFICATE_ENTRY_SIZE;
  const raw = rawRanges(pe);
  // 8. SUM_OF_BYTES_HASHED counts the headers whole. With gaps between sections it is not the end
  // of any section, but the specification continues the digest there.
  const hashed = raw.reduce((sum, { size }) => sum + size, pe.sizeOfHeaders);
  const ranges = [
    // 3. to the checksum, which is left out (4.)
    between(0, pe.checksumOffset),
    // 5. to the certificate table's entry, which is left out (6.)
    between(pe.checksumOffset + CHECKSUM_SIZE, pe.certificateEntryOffset),
    // 7. to the end of the headers
    between(afterEntry, pe.sizeOfHeaders),
    // 9.–13. the raw data of every section, ascending
    ...raw,
    // 14. what is left, without the certificate table
    between(hashed, pe.fileSize - tableSize),
  ].filter(({ size }) => size > 0);
  return { ranges, padding: tableSize > 0 ? 0 : -pe.fileSize & 7 };
}

function between(start: number, end: number): Range {
  return { offset: start, size: end - start };
}

/** A table elsewhere would leave bytes behind it that no signature covers. */
function requireTableAtEnd({ certificateTable, fileSize }: Pe): Range {
  const end = certificateTable.offset + certificateTable.size;
  if (certificateTable.size === 0 || end === fileSize) return certificateTable;
  throw new EspError(
    'SIGNATURE_MALFORMED',
    `certificate table at offset ${certificateTable.offset}: expected its end at ${fileSize}, got ${end}`,
  );
}

/**
 * Yields the bytes to hash for the Authenticode digest of an image, at most 1 MiB at a time.
 * @throws {PE_MALFORMED} when the image is not whole
 * @throws {SIGNATURE_MALFORMED} when the certificate table is not the end of the file
 */
export function* authenticodeDigestInput(source: ByteSource): Generator<Uint8Array> {
  const { ranges, padding } = authenticodeRanges(parsePe(source));
  for (const range of ranges) yield* readRange(source, range);
  if (padding > 0) yield new Uint8Array(padding);
}

/** Returns what the digest of an unsigned image without gaps covers: all except the two fields. */
export function packedRanges(
  image: Pick<Pe, 'checksumOffset' | 'certificateEntryOffset'>,
  size: number,
): readonly Range[] {
  return [
    between(0, image.checksumOffset),
    between(image.checksumOffset + CHECKSUM_SIZE, image.certificateEntryOffset),
    between(image.certificateEntryOffset + CERTIFICATE_ENTRY_SIZE, size),
  ];
}

/** Returns the pieces of a layout that its Authenticode digest covers, in order. */
export function authenticodePieces(layout: ImageLayout): readonly Piece[] {
  return layout.digestRanges.flatMap((range) => slicePieces(layout.pieces, range));
}
