/** Recognises how bytes are packed, as the kernel does: by their first bytes. */
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ByteSource } from '../byte-source.ts';
import type { Unpacked } from './forward-bytes.ts';
import { gunzipped } from './gzip.ts';
import { unlz4 } from './lz4.ts';
import { damaged, type Obstacle, Obstruction } from './obstacle.ts';
import { type Unxz, unxz } from './xz.ts';
import { unzstd } from './zstd.ts';

type Unpack = (source: ByteSource, offset: number, tool: Unxz | undefined) => Unpacked;

const unsupported = unpackNone('unreadable', 'unpacking it is not supported');
const frame = unpackNone('refused', 'expected what lz4 -l makes, got a frame');

/** How the kernel recognises formats, in its order, and one format that it does not accept. */
const FORMATS: readonly (readonly [name: string, magic: string, unpack: Unpack])[] = [
  ['gzip', '1f8b', gunzipped],
  ['bzip2', '425a', unsupported],
  ['lzma', '5d00', unsupported],
  ['xz', 'fd377a585a00', unxz],
  ['lzo', '894c5a', unsupported],
  ['lz4', '02214c18', unlz4],
  ['zstd', '28b52ffd', unzstd],
  ['lz4', '04224d18', frame],
];
const MAX_MAGIC = 6;

/** Returns what unpacks the bytes at an offset. @throws {Obstruction} when they are not packed */
export function formatAt(
  source: ByteSource,
  offset: number,
): readonly [name: string, unpack: Unpack] {
  const start = bytesToHex(source.read(offset, MAX_MAGIC));
  const found = FORMATS.find(([, magic]) => start.startsWith(magic));
  if (found === undefined) throw damaged(`expected an archive, got the bytes ${start}`);
  return [found[0], found[2]];
}

function unpackNone(kind: Obstacle['kind'], reason: string): Unpack {
  // biome-ignore lint/correctness/useYield: it ends before it gives anything.
  return async function* () {
    throw new Obstruction(kind, reason);
  };
}

/** Yields what is packed at an offset, as far as it can be unpacked. */
export async function* unpackedAt(source: ByteSource, offset: number): AsyncGenerator<Uint8Array> {
  try {
    const [, unpack] = formatAt(source, offset);
    yield* unpack(source, offset, undefined);
  } catch (error) {
    if (!(error instanceof Obstruction)) throw error;
  }
}
