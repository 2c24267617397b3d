/** Finds the end of an xz container, which no decompressor reports (xz §2, §3). */
import type { ByteSource } from '../byte-source.ts';
import type { Unpacked } from './forward-bytes.ts';
import { damaged, Obstruction } from './obstacle.ts';
import { inside, pieces, readNumber } from './pieces.ts';

/**
 * Unpacks one stream of xz, which Node cannot. Rejects when the stream is malformed. Ending early
 * ends the work.
 */
export type Unxz = (stream: Iterable<Uint8Array>) => AsyncIterable<Uint8Array>;

const HEADER_SIZE = 12;
const FOOTER_SIZE = 12;
const CHECK_AT = 7;
/** Sizes of integrity checks in bytes. The kernel knows only none and CRC32. */
const CHECK_SIZES: Readonly<Record<number, number>> = { 0: 0, 1: 4 };
const CRC_SIZE = 4;
const ALIGNMENT = 4;
const MAX_NUMBER_SIZE = 9;

/** Unpacks the stream at an offset. @throws {Obstruction} */
export async function* unxz(source: ByteSource, offset: number, tool: Unxz | undefined): Unpacked {
  const end = streamEnd(source, offset);
  if (tool === undefined)
    throw new Obstruction('unreadable', 'there is no program xz to unpack it');
  try {
    yield* tool(pieces(source, offset, end));
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  return end;
}

function streamEnd(source: ByteSource, offset: number): number {
  const check = readNumber(source, offset + CHECK_AT, 1);
  const checkSize = CHECK_SIZES[check];
  if (checkSize === undefined) {
    throw new Obstruction('refused', 'expected xz --check=crc32, got another integrity check');
  }
  let at = offset + HEADER_SIZE;
  for (let blocks = 0; ; blocks++) {
    const headerSize = readNumber(source, at, 1);
    if (headerSize === 0) return inside(source, indexEnd(source, at, blocks) + FOOTER_SIZE);
    const end = chunksEnd(source, at + (headerSize + 1) * 4);
    at = aligned(at, end) + checkSize;
  }
}

/** Returns where the chunks of LZMA2 end. Each chunk tells its size. */
function chunksEnd(source: ByteSource, offset: number): number {
  for (let at = offset; ; ) {
    const control = readNumber(source, at, 1);
    if (control === 0) return at + 1;
    const isPacked = control >= 0x80;
    if (!isPacked && control > 2) {
      throw damaged(`expected a chunk of xz at byte ${at}, got control byte ${control}`);
    }
    const sizeAt = at + (isPacked ? 3 : 1);
    const hasProperties = control >= 0xc0;
    // The most significant byte of these numbers comes first.
    const size = 256 * readNumber(source, sizeAt, 1) + readNumber(source, sizeAt + 1, 1) + 1;
    at = sizeAt + 2 + (hasProperties ? 1 : 0) + size;
  }
}

function indexEnd(source: ByteSource, offset: number, blocks: number): number {
  const [count, first] = readVariable(source, offset + 1);
  if (count !== blocks) throw damaged(`expected an index of ${blocks} blocks, got one of ${count}`);
  let at = first;
  // Each record consists of two numbers.
  for (let left = count * 2; left > 0; left--) [, at] = readVariable(source, at);
  return aligned(offset, at) + CRC_SIZE;
}

/** Returns a number that has seven bits in each byte, and where it ends. */
function readVariable(source: ByteSource, offset: number): [value: number, end: number] {
  let value = 0;
  for (let index = 0; index < MAX_NUMBER_SIZE; index++) {
    const byte = readNumber(source, offset + index, 1);
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [value, offset + index + 1];
  }
  throw damaged(`expected a number of xz at byte ${offset}, got a longer one`);
}

function aligned(start: number, end: number): number {
  return start + Math.ceil((end - start) / ALIGNMENT) * ALIGNMENT;
}
