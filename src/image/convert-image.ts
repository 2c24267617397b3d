/** Writes a disk in another format, or as a compressed stream. */
import { setImmediate } from 'node:timers/promises';
import type { ByteSource } from '../byte-source.ts';
import type { Context } from '../context.ts';
import { digestBytes, hash } from '../digest.ts';
import { diskFormat } from '../diskformat/formats.ts';
import { compressed, compressionOf } from '../diskformat/stream.ts';
import { EspError } from '../error.ts';
import type { RawFile } from '../process/machine.ts';
import { uuidFrom } from '../verity/uuid.ts';
import { placeOutput } from './output.ts';

/** The form of an output: its name, and how a disk is written so. Returns what one should know. */
export interface OutputForm {
  readonly name: string;
  /** Whether it is compressed as a whole, and no disk before it is unpacked. */
  readonly isStream: boolean;
  readonly write: (disk: Required<ByteSource>, to: RawFile, tell: Tell) => Promise<void>;
  readonly warningFor: (size: number) => string | undefined;
}

/** Hears how many bytes are done. Whoever waits for it gives signals and timers their turn. */
type Tell = (done: number) => Promise<unknown> | undefined;

/** In milliseconds: how long they wait for their turn at most. */
const TURN = 50;

const MEBIBYTE = 1024 * 1024;

/**
 * Returns the form of an output by a format's name, or by the ending of the file's.
 * @throws {CONFIG_INVALID} when there is no such format, or the ending tells none
 */
export function outputForm(
  given: string | undefined,
  path: string,
  context: Pick<Context, 'machine' | 'environment'>,
): OutputForm {
  const compression = compressionOf(path);
  if (compression === undefined) return diskForm(given, path);
  if (given !== undefined && given !== 'raw') {
    throw new EspError(
      'CONFIG_INVALID',
      `${path}: a stream is a raw disk, and --format is ${given}`,
      {
        hint: 'leave --format out, or name a file without the ending of a compression',
      },
    );
  }
  return {
    name: `raw, ${compression}`,
    isStream: true,
    async write(disk, to, tell) {
      let at = 0;
      for await (const piece of compressed(disk, compression, context, (done) => void tell(done))) {
        to.writeAt(at, piece);
        at += piece.length;
      }
    },
    warningFor: () => undefined,
  };
}

function diskForm(given: string | undefined, path: string): OutputForm {
  const format = diskFormat(given, path);
  return {
    name: format.name,
    isStream: false,
    write: (disk, to, progress) => format.write(disk, to, { identity: identityOf(disk), progress }),
    warningFor: (size) =>
      format.name === 'vpc-fixed' && size % MEBIBYTE !== 0
        ? `the disk is no whole number of MiB (${size} bytes): Azure refuses such a VHD`
        : undefined,
  };
}

/**
 * Returns the identifier of a disk's image: another one for another disk. Where its partitions are, and
 * what they are called, stands at its beginning and its end.
 */
function identityOf(disk: ByteSource): Uint8Array {
  const [first, last] = [
    disk.read(0, MEBIBYTE),
    disk.read(Math.max(0, disk.size - MEBIBYTE), MEBIBYTE),
  ];
  const own = new TextEncoder().encode(`${disk.size}`);
  return uuidFrom(digestBytes(hash(Buffer.concat([own, first, last]))));
}

/**
 * Writes a disk to an output, which gets its name when it is whole. The caller has looked whether the
 * output may be made.
 */
export async function writeOutput(
  disk: Required<ByteSource>,
  output: string,
  form: OutputForm,
  context: Pick<Context, 'disk' | 'machine' | 'progress'>,
): Promise<void> {
  const { progress } = context;
  progress?.begin(`writing ${output} as ${form.name}`, { bytes: disk.size });
  let told = 0;
  let turned = Date.now();
  const tell: Tell = (done) => {
    progress?.advance(done - told);
    told = done;
    if (Date.now() - turned < TURN) return undefined;
    turned = Date.now();
    return setImmediate();
  };
  await placeOutput(output, 0, context, (image) => form.write(disk, image, tell));
}
