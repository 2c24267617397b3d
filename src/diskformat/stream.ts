/** Raw disks as compressed streams, as they are put on servers: zstd, gzip, xz. */
import { Readable } from 'node:stream';
import { createGzip, createZstdCompress } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { boundedEnvironment } from '../process/environment.ts';
import type { Environment, Machine } from '../process/machine.ts';

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

function findXz({ machine, environment }: Surroundings): string {
  const program = machine.findProgram('xz', environment);
  if (program !== undefined) return program;
  throw new EspError('TOOL_MISSING', 'xz: expected the program, but there is none', {
    hint: 'apt-get install xz-utils, or nix-shell -p xz; or take .zst, which needs none',
  });
}
