/** Disk images of any format, opened for reading. */
import type { Context } from '../context.ts';
import type { OpenFile } from '../disk/disk.ts';
import { openBytes, openRaw } from '../disk/raw-file.ts';
import type { DiskImage } from '../diskformat/format.ts';
import { openDiskImage } from '../diskformat/formats.ts';
import { type Compression, compressionIn, unpack } from '../diskformat/stream.ts';
import type { RawFile } from '../process/machine.ts';

/** An image that is open: the disk in it, and a context that takes the file for a raw disk. */
export interface OpenedImage extends Disposable {
  readonly disk: DiskImage;
  readonly context: Context;
  /** The size of the file, in bytes. */
  readonly fileSize: number;
}

/**
 * Opens an image. One that is compressed as a whole is unpacked meanwhile, below `TMPDIR`.
 * @throws {FILE_MISSING} when it is not there
 * @throws {DISK_IMAGE_MALFORMED} when it is damaged, or of a format that is not read
 * @throws {TOOL_MISSING} when it is compressed by xz, which is not there
 */
export async function openImage(path: string, context: Context): Promise<OpenedImage> {
  const file = openBytes(path, context);
  const close = () => file[Symbol.dispose]();
  try {
    const compression = compressionIn(file.read(0, 16));
    if (compression === undefined)
      return opened(openDiskImage(file, path), file.size, { path, context, close });
    const { size } = file;
    const plain = await unpackedFile(file, compression, { path, context });
    close();
    const disk = openDiskImage(plain.file, path);
    const named = { ...disk, format: `${disk.format}, ${compression}` };
    return opened(named, size, { path, context, close: plain.close });
  } catch (error) {
    close();
    throw error;
  }
}

/** Unpacks into a file that is gone when it is closed. */
async function unpackedFile(
  file: OpenFile,
  compression: Compression,
  { path, context }: { path: string; context: Context },
): Promise<{ readonly file: OpenFile; readonly close: () => void }> {
  const { disk, environment, machine, progress: told } = context;
  const scratch = disk.makeTemporary(environment['TMPDIR'] ?? '/var/tmp', 'espalier-image-');
  const remove = () => disk.removeTemporary(scratch);
  try {
    const plain = `${scratch}/disk`;
    using to = openRaw(plain, 'replace', context);
    told?.begin(`unpacking ${path}`);
    let unpacked = 0;
    const progress = (done: number) => {
      told?.advance(done - unpacked);
      unpacked = done;
    };
    await unpack(file, compression, to, { name: path, progress, machine, environment });
    const from = openBytes(plain, context);
    return {
      file: from,
      close: () => {
        from[Symbol.dispose]();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

function opened(
  disk: DiskImage,
  fileSize: number,
  { path, context, close }: { path: string; context: Context; close: () => void },
): OpenedImage {
  const { machine } = context;
  const own = [path, context.disk.realPath(path) ?? path].map((each) =>
    context.disk.hostPath(each),
  );
  const openOwn: typeof machine.openRaw = (name, use) =>
    own.includes(name) && use === 'read' ? asRawFile(disk) : machine.openRaw(name, use);
  return {
    ...{ disk, fileSize },
    context: { ...context, machine: { ...machine, openRaw: openOwn } },
    [Symbol.dispose]: close,
  };
}

/** A disk within an image is read as a raw one. Nobody writes through it. */
function asRawFile({ size, read, readInto }: DiskImage): RawFile {
  const refuse = (): never => {
    throw new Error('an image is looked into, and not written to');
  };
  return {
    ...{ size, read, readInto },
    ...{ isDevice: false, writeAt: refuse, cut: refuse, sync: refuse },
    [Symbol.dispose]: () => undefined,
  };
}
