/** Disk images of any format, opened for reading. */
import type { Context } from '../context.ts';
import type { OpenFile } from '../disk/disk.ts';
import { openBytes } from '../disk/raw-file.ts';
import type { DiskImage } from '../diskformat/format.ts';
import { openDiskImage } from '../diskformat/formats.ts';
import type { RawFile } from '../process/machine.ts';

/** An image that is open: the disk in it, and a context that takes the file for a raw disk. */
export interface OpenedImage extends Disposable {
  readonly disk: DiskImage;
  readonly context: Context;
  /** The size of the file, in bytes. */
  readonly fileSize: number;
}

/**
 * Opens an image.
 * @throws {FILE_MISSING} when it is not there
 * @throws {DISK_IMAGE_MALFORMED} when it is damaged, or of a format that is not read
 */
export function openImage(path: string, context: Context): OpenedImage {
  const file = openBytes(path, context);
  const disk = openDiskImage(file, path);
  const { machine } = context;
  const own = [path, context.disk.realPath(path) ?? path].map((each) =>
    context.disk.hostPath(each),
  );
  const openRaw: typeof machine.openRaw = (name, use) =>
    own.includes(name) && use === 'read' ? asRawFile(disk) : machine.openRaw(name, use);
  return {
    disk,
    context: { ...context, machine: { ...machine, openRaw } },
    fileSize: file.size,
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** A disk within an image is read as a raw one. Nobody writes through it. */
function asRawFile({ size, read, readInto }: OpenFile | DiskImage): RawFile {
  const refuse = (): never => {
    throw new Error('an image is looked into, and not written to');
  };
  return {
    ...{ size, read, readInto },
    ...{ isDevice: false, writeAt: refuse, cut: refuse, sync: refuse },
    [Symbol.dispose]: () => undefined,
  };
}
