/**
 * An image to be written, as pieces in file order. Pieces name payloads by path; memory never holds
 * them.
 */
import type { Range } from '../byte-source.ts';

/** The content of a new section. Sizes in bytes. */
export type Content =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly path: string; readonly size: number }
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] };

/** Consecutive bytes of an image: given bytes, a part of a file, or zeros. */
export type Piece =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly offset: number;
      readonly size: number;
    }
  | { readonly kind: 'zeros'; readonly size: number };

/** A PE image that is not written yet. Offsets and sizes in bytes. */
export interface ImageLayout {
  /** Size of the whole file, a multiple of 8. */
  readonly size: number;
  readonly pieces: readonly Piece[];
  readonly checksumOffset: number;
  readonly certificateEntryOffset: number;
  /**
   * The ranges that the Authenticode digest covers. They ascend when raw data has no gaps, as in
   * every image that this program lays out. So a writer can hash them as they pass.
   */
  readonly digestRanges: readonly Range[];
}

/** Returns the size of a section's content in bytes. */
export function contentSize(content: Content): number {
  return contentPieces(content).reduce((sum, piece) => sum + pieceSize(piece), 0);
}

/** Returns a section's content as pieces, in order. */
export function contentPieces(content: Content): readonly Piece[] {
  switch (content.kind) {
    case 'bytes':
      return [content];
    case 'file':
      return [{ ...content, offset: 0 }];
    case 'pieces':
      return content.pieces;
  }
}

/** Returns the size of a piece in bytes. */
export function pieceSize(piece: Piece): number {
  return piece.kind === 'bytes' ? piece.bytes.length : piece.size;
}

/** Returns the pieces of a range of the file. A piece across the border is cut. */
export function slicePieces(pieces: readonly Piece[], { offset, size }: Range): Piece[] {
  const slice: Piece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const from = Math.max(offset - start, 0);
    const to = Math.min(offset + size - start, pieceSize(piece));
    if (from < to) slice.push(cut(piece, from, to));
    start += pieceSize(piece);
  }
  return slice;
}

function cut(piece: Piece, from: number, to: number): Piece {
  switch (piece.kind) {
    case 'bytes':
      return { kind: 'bytes', bytes: piece.bytes.subarray(from, to) };
    case 'file':
      return { ...piece, offset: piece.offset + from, size: to - from };
    case 'zeros':
      return { kind: 'zeros', size: to - from };
  }
}

/** Returns the smallest multiple of `alignment` that is not below `value`. */
export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
