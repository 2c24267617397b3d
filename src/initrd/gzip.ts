/** Unpacks gzip (RFC 1952) as the kernel does: one member, whose header has at most a file name. */
import { createInflateRaw } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import type { Unpacked } from './forward-bytes.ts';
import { damaged, Obstruction } from './obstacle.ts';
import { inside, pieces, readAll } from './pieces.ts';
import { through } from './through.ts';

const HEADER_SIZE = 10;
const TRAILER_SIZE = 8;
const DEFLATE = 8;
const HAS_NAME = 8;
const CHUNK_SIZE = 64 * 1024;

/** Unpacks the member at an offset. @throws {Obstruction} */
export async function* gunzipped(source: ByteSource, offset: number): Unpacked {
  const start = dataStart(source, offset);
  const inflate = createInflateRaw({ chunkSize: CHUNK_SIZE });
  yield* through(pieces(source, start, source.size), inflate);
  return inside(source, start + inflate.bytesWritten + TRAILER_SIZE);
}

function dataStart(source: ByteSource, offset: number): number {
  const [, , method = 0, flags = 0] = readAll(source, offset, HEADER_SIZE);
  if (method !== DEFLATE) throw damaged(`expected gzip of method ${DEFLATE}, got ${method}`);
  if ((flags & ~HAS_NAME) !== 0) {
    throw new Obstruction('refused', `expected gzip with no flag but a name, got flags ${flags}`);
  }
  let start = offset + HEADER_SIZE;
  if (flags === HAS_NAME) while (readAll(source, start++, 1)[0] !== 0);
  return start;
}
