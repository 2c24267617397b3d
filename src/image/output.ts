/** The file that an image becomes: under a name of its own until it is whole. */
import { basename, dirname, join } from 'node:path';
import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { WritableDisk } from '../disk/disk.ts';
import { makeSized, openRaw } from '../disk/raw-file.ts';
import { EspError } from '../error.ts';
import { errno } from '../io-error.ts';
import type { Machine, RawFile } from '../process/machine.ts';
import { exactSize, formatSize } from '../quantity.ts';
import { acquireLock, type Lock, lockDirectory } from '../transaction/lock.ts';

/** Where images are written. */
export interface Workshop {
  readonly disk: WritableDisk;
  readonly machine: Pick<Machine, 'openRaw'>;
}

/** Returns the name of an image in the making, beside the one that it gets. */
function temporaryPath(output: string): string {
  return join(dirname(output), `.${basename(output)}.espalier-tmp`);
}

/** Returns the directory for what is needed while an image is made, beside it too. */
export function scratchPath(output: string): string {
  return `${temporaryPath(output)}.d`;
}

/**
 * Refuses an output before anything is written, and keeps other runs from it. What is made meanwhile
 * has one name beside it: two runs would write into each other's.
 * @param verb who holds it, for the others
 * @throws as {@link requireOutput} does
 * @throws {LOCKED} when another run makes the same output
 */
export async function claimOutput(
  output: string,
  { verb, isForced }: { readonly verb: string; readonly isForced: boolean },
  { disk, host, environment, uid }: Pick<Context, 'disk' | 'host' | 'environment' | 'uid'>,
): Promise<Lock> {
  requireOutput(output, { needed: 0, isForced }, disk);
  const directory = disk.realPath(dirname(output)) ?? dirname(output);
  const lock = await acquireLock({
    ...{ disk: host, directory: lockDirectory(environment, uid), on: output, verb },
    key: `image-${hash(join(directory, basename(output))).slice(0, 32)}`,
    timeoutSeconds: 0,
  });
  try {
    // The run that held it before may have made the output meanwhile.
    requireOutput(output, { needed: 0, isForced }, disk);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Bytes of a name, in every file system that images are made in. */
const MAX_NAME = 255;

/**
 * Refuses an output before anything is written.
 * @param needed bytes that will be allocated
 * @throws {CONFIG_INVALID} when its directory is not there
 * @throws {IMAGE_EXISTS} when it is there, and it may not be replaced
 * @throws {IMAGE_FULL} when the file system has no room
 */
export function requireOutput(
  output: string,
  { needed, isForced }: { readonly needed: number; readonly isForced: boolean },
  disk: WritableDisk,
): void {
  const directory = dirname(output);
  if (disk.stat(directory)?.kind !== 'directory') {
    throw new EspError('CONFIG_INVALID', `--output: ${directory} is no directory`);
  }
  if (Buffer.byteLength(basename(scratchPath(output))) > MAX_NAME) {
    throw new EspError('CONFIG_INVALID', `--output: ${basename(output)} is too long a name`, {
      hint: 'while it is made, the image has a name with 16 bytes more',
    });
  }
  const there = disk.stat(output);
  if (there !== undefined && there.kind !== 'file') {
    throw new EspError('CONFIG_INVALID', `--output: ${output} is there and is no file`);
  }
  if (there !== undefined && !isForced) {
    throw new EspError('IMAGE_EXISTS', `${output} is there already`, {
      hint: 'name another --output, or replace it with --force',
    });
  }
  const free = disk.fileSystem(directory)?.free;
  if (free === undefined || free >= needed) return;
  throw new EspError(
    'IMAGE_FULL',
    `${directory}: the image needs ${formatSize(needed)}, and ${formatSize(free)} are free`,
    { hint: 'make room, or name another --output' },
  );
}

/**
 * Makes a file of a size, has it written, makes it durable, and gives it its name. When that fails,
 * nothing is left, and what had the name stays.
 * @param size in bytes
 * @throws {IMAGE_FULL} before anything is written, when no file can be so large there
 */
export async function placeOutput<Result>(
  output: string,
  size: number,
  { disk, machine }: Workshop,
  write: (image: RawFile, path: string) => Promise<Result>,
): Promise<Result> {
  const temporary = temporaryPath(output);
  // SAFETY: no machine boots from a temporary name. It is what a killed run left, or a link that leads
  // elsewhere, and the one who holds the output is the only one to write there.
  disk.remove(temporary);
  try {
    makeLong(temporary, size, { disk, machine });
    const result = await written(temporary, { disk, machine }, write);
    // SAFETY: no machine boots from a file that is being made. The image is whole and durable under
    // its temporary name.
    disk.rename(temporary, output);
    // SAFETY: the barrier makes the name durable before we report it.
    disk.syncDirectory(dirname(output));
    return result;
  } catch (error) {
    // SAFETY: nothing boots from a temporary name. After the rename it does not exist.
    disk.remove(temporary);
    throw error;
  }
}

function makeLong(path: string, size: number, workshop: Workshop): void {
  try {
    makeSized(path, size, workshop);
  } catch (error) {
    if (!(error instanceof EspError) || errno(error.cause) !== 'EFBIG') throw error;
    throw new EspError(
      'IMAGE_FULL',
      `${dirname(path)}: the file system there holds no file of ${exactSize(size)}`,
      { hint: 'give a smaller size, or name an --output on another file system', cause: error },
    );
  }
}

async function written<Result>(
  path: string,
  workshop: Workshop,
  write: (image: RawFile, path: string) => Promise<Result>,
): Promise<Result> {
  using image = openRaw(path, 'write', workshop);
  const result = await write(image, path);
  // SAFETY: as for the rename.
  image.sync();
  return result;
}
