/** Replaces the contents of an image's sections where they lie, as pieces to stream. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { authenticodeRanges, CERTIFICATE_ENTRY_SIZE } from './authenticode.ts';
import { type ImageLayout, type Piece, pieceSize, roundUp } from './image-layout.ts';
import { parsePe, SECTION_HEADER_SIZE } from './pe.ts';

const NONE = { offset: 0, size: 0 };

/**
 * Lays out an image with other contents in some sections. Signatures are left out, since they would not
 * survive. Nothing else moves.
 * @param path the file that the pieces of the layout name for the bytes of `source`
 * @param contents the new content by the place of the section in the table
 * @throws {PE_MALFORMED} when a content is larger than its section, or the image is not whole
 */
export function replaceContents(
  source: ByteSource,
  path: string,
  contents: ReadonlyMap<number, Uint8Array>,
): ImageLayout {
  const pe = parsePe(source, path);
  const sections = pe.sections.map((section, index) => {
    const bytes = contents.get(index);
    if (bytes === undefined) return { ...section, bytes };
    if (bytes.length > section.sizeOfRawData) throw noRoom(path, section, bytes.length);
    return { ...section, virtualSize: bytes.length, bytes };
  });
  const header = new Uint8Array(source.read(0, pe.sizeOfHeaders));
  const view = new DataView(header.buffer);
  for (const [index, { virtualSize }] of sections.entries()) {
    view.setUint32(pe.sectionTableOffset + index * SECTION_HEADER_SIZE + 8, virtualSize, true);
  }
  const end = Math.max(...sections.map((each) => each.virtualAddress + each.virtualSize));
  const sizeOfImage = roundUp(end, pe.sectionAlignment);
  view.setUint32(pe.optionalHeaderOffset + 56, sizeOfImage, true);
  view.setUint32(pe.checksumOffset, 0, true);
  header.fill(0, pe.certificateEntryOffset, pe.certificateEntryOffset + CERTIFICATE_ENTRY_SIZE);
  const pieces: Piece[] = [{ kind: 'bytes', bytes: header }];
  let at = pe.sizeOfHeaders;
  const inFile = sections.filter(({ sizeOfRawData }) => sizeOfRawData > 0);
  for (const each of inFile.toSorted((a, b) => a.pointerToRawData - b.pointerToRawData)) {
    const { pointerToRawData: start, sizeOfRawData: size, bytes } = each;
    pieces.push({ kind: 'file', path, offset: at, size: start - at });
    if (bytes === undefined) pieces.push({ kind: 'file', path, offset: start, size });
    else {
      pieces.push({ kind: 'bytes', bytes });
      pieces.push({ kind: 'zeros', size: size - bytes.length });
    }
    at = start + size;
  }
  const size = roundUp(at, 8);
  pieces.push({ kind: 'zeros', size: size - at });
  const { checksumOffset, certificateEntryOffset } = pe;
  return {
    size,
    pieces: pieces.filter((piece) => pieceSize(piece) > 0),
    checksumOffset,
    certificateEntryOffset,
    digestRanges: authenticodeRanges({ ...pe, certificateTable: NONE, fileSize: size }).ranges,
  };
}

function noRoom(
  path: string,
  { name, sizeOfRawData }: { readonly name: string; readonly sizeOfRawData: number },
  size: number,
): EspError {
  return new EspError(
    'PE_MALFORMED',
    `${path}: section ${JSON.stringify(name)}: expected room for ${size} bytes, got ${sizeOfRawData}`,
    { hint: 'build the image with --policy-digest, which leaves room' },
  );
}
