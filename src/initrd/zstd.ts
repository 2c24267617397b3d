/** Unpacks Zstandard (RFC 8878) as the kernel does: one frame. */
import { createZstdDecompress } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import type { Unpacked } from './forward-bytes.ts';
import { damaged } from './obstacle.ts';
import { inside, pieces, readNumber } from './pieces.ts';
import { through } from './through.ts';

const MAGIC_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const CHECKSUM_SIZE = 4;
const [RLE, RESERVED] = [1, 3];
/** Sizes in bytes, by the two bits that choose them. */
const DICTIONARY_SIZES = [0, 1, 2, 4];
const CONTENT_SIZES = [0, 2, 4, 8];
const CHUNK_SIZE = 64 * 1024;

/** Unpacks the frame at an offset. @throws {Obstruction} */
export async function* unzstd(source: ByteSource, offset: number): Unpacked {
  // Node's decompressor would go on with the bytes behind the frame, which may be no frame.
  const end = frameEnd(source, offset);
  yield* through(pieces(source, offset, end), createZstdDecompress({ chunkSize: CHUNK_SIZE }));
  return end;
}

function frameEnd(source: ByteSource, offset: number): number {
  const descriptor = readNumber(source, offset + MAGIC_SIZE, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const window = isSingleSegment ? 0 : 1;
  const dictionary = DICTIONARY_SIZES[descriptor & 3] ?? 0;
  const contentSize = CONTENT_SIZES[descriptor >> 6] || (isSingleSegment ? 1 : 0);
  let at = offset + MAGIC_SIZE + 1 + window + dictionary + contentSize;
  for (let isLast = false; !isLast; ) {
    const header = readNumber(source, at, BLOCK_HEADER_SIZE);
    const type = (header >> 1) & 3;
    if (type === RESERVED)
      throw damaged(`expected a block of zstd at byte ${at}, got another type`);
    isLast = (header & 1) !== 0;
    at += BLOCK_HEADER_SIZE + (type === RLE ? 1 : header >> 3);
  }
  return inside(source, at + ((descriptor & 4) !== 0 ? CHECKSUM_SIZE : 0));
}
