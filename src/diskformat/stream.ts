/** Raw disks as compressed streams, as they are put on servers: zstd, gzip, xz. */
import { Readable } from 'node:stream';
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { boundedEnvironment } from '../process/environment.ts';
import type { Environment, Machine } from '../process/machine.ts';
import { malformed, type Sink } from './format.ts';
import { isZero } from './numbers.ts';

/** How a stream is compressed. */
export type Compression = 'zstd' | 'gzip' | 'xz';

const SUFFIXES: Readonly<Record<string, Compression>> = {
  '.zst': 'zstd',
  '.gz': 'gzip',
  '.xz': 'xz',
};

/** In bytes. */
const PIECE = 1024 * 1024;

/** Returns the compression that the ending of a file's name tells. */
export function compressionOf(path: string): Compression | undefined {
  const suffix = Object.keys(SUFFIXES).find((ending) => path.toLowerCase().endsWith(ending));
  return suffix === undefined ? undefined : SUFFIXES[suffix];
}

/** What xz needs: Node has none. */
export interface Surroundings {
  readonly machine: Pick<Machine, 'findProgram' | 'filter'>;
  readonly environment: Environment;
}

/**
 * Yields a raw disk as a compressed stream. The same disk gives the same bytes with the same version
 * of the compressor. `progress` is called with how many bytes of the disk are done.
 * @throws {TOOL_MISSING} when xz is not there
 */
export async function* compressed(
  disk: ByteSource,
  compression: Compression,
  { machine, environment }: Surroundings,
  progress: (done: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  function* pieces(): Generator<Uint8Array> {
    for (let at = 0; at < disk.size; at += PIECE) {
      yield disk.read(at, PIECE);
      progress(Math.min(disk.size, at + PIECE));
    }
  }
  if (compression === 'xz') {
    const argv = [findXz({ machine, environment }), '--compress', '--stdout', '--threads=1'];
    yield* machine.filter(argv, boundedEnvironment(environment), pieces());
    return;
  }
  const through = compression === 'zstd' ? createZstdCompress() : createGzip();
  yield* Readable.from(pieces()).pipe(through);
}

/** The first bytes of streams. */
const MAGIC: readonly (readonly [bytes: string, compression: Compression])[] = [
  ['\x1f\x8b', 'gzip'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
  ['\xfd7zXZ\0', 'xz'],
];

/** Returns how a file is compressed as a whole, by its first bytes; undefined when it is not. */
export function compressionIn(first: Uint8Array): Compression | undefined {
  const text = String.fromCharCode(...first.subarray(0, 6));
  return MAGIC.find(([bytes]) => text.startsWith(bytes))?.[1];
}

/** In bytes: zeros of this size stay holes. */
const HOLE = 64 * 1024;

/**
 * Writes what a compressed file holds, with holes for zeros. `progress` is called with how many bytes of
 * it are done. Untrusted bytes.
 * @throws {DISK_IMAGE_MALFORMED} when it is damaged, or ends early
 * @throws {TOOL_MISSING} when xz is not there
 */
export async function unpack(
  file: ByteSource,
  compression: Compression,
  to: Sink,
  { name, progress, ...around }: Surroundings & { name: string; progress: (done: number) => void },
): Promise<void> {
  let size = 0;
  try {
    for await (const piece of unpacked(file, compression, around)) {
      for (let at = 0; at < piece.length; at += HOLE) {
        const part = piece.subarray(at, at + HOLE);
        if (!isZero(part)) to.writeAt(size + at, part);
      }
      size += piece.length;
      progress(size);
    }
  } catch (error) {
    throw isDamage(error) ? malformed(name, `a whole ${compression} stream`, error.message) : error;
  }
  to.cut(size);
}

function unpacked(
  file: ByteSource,
  compression: Compression,
  { machine, environment }: Surroundings,
): AsyncIterable<Uint8Array> {
  function* pieces(): Generator<Uint8Array> {
    for (let at = 0; at < file.size; at += PIECE) yield file.read(at, PIECE);
  }
  if (compression === 'xz') {
    const argv = [findXz({ machine, environment }), '--decompress', '--stdout', '--threads=1'];
    return machine.filter(argv, boundedEnvironment(environment), pieces());
  }
  const through = compression === 'zstd' ? createZstdDecompress() : createGunzip();
  return Readable.from(pieces()).pipe(through);
}

/** Says whether a decompressor found the stream wanting: zlib and zstd by their codes, xz by its messages. */
function isDamage(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return (
    /^(Z_|ZSTD_)/.test(String(error.code)) || (error instanceof EspError && error.code === 'IO')
  );
}

/** Returns the path of xz. @throws {TOOL_MISSING} */
export function findXz({ machine, environment }: Surroundings): string {
  const program = machine.findProgram('xz', environment);
  if (program !== undefined) return program;
  throw new EspError('TOOL_MISSING', 'xz: expected the program, but there is none', {
    hint: 'apt-get install xz-utils, or nix-shell -p xz; .zst needs no program',
  });
}
