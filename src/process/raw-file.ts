/**
 * A file or block device as plain bytes: read at any offset, overwritten in place, never renamed.
 */
import * as fs from 'node:fs';
import { EspError } from '../error.ts';
import { isAbsent, missing, shortWrite, translated } from '../io-error.ts';
import { fill } from './fill.ts';
import type { RawFile, RawUse } from './machine.ts';

const { O_RDONLY, O_RDWR, O_CREAT, O_NONBLOCK, O_TRUNC } = fs.constants;
const FLAGS = {
  read: O_RDONLY,
  write: O_RDWR | O_CREAT,
  replace: O_RDWR | O_CREAT | O_TRUNC,
} as const satisfies Record<RawUse, number>;

/** New files are public: they hold digests of files that everyone may read, and signatures. */
const MODE = 0o644;

/**
 * Opens a file or block device. For writing it makes a missing file; for replacing it also empties
 * an existing one.
 * @throws {FILE_MISSING} when it does not exist, or is neither
 */
export function openRaw(path: string, use: RawUse): RawFile {
  return translated('open', path, () => rawFile(path, openExisting(path, use)));
}

function openExisting(path: string, use: RawUse): number {
  try {
    return fs.openSync(path, FLAGS[use] | O_NONBLOCK, MODE);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    throw missing(path, error);
  }
}

function rawFile(path: string, fd: number): RawFile {
  const stats = fs.fstatSync(fd);
  if (!stats.isFile() && !stats.isBlockDevice()) {
    fs.closeSync(fd);
    throw new EspError('FILE_MISSING', `${path}: expected a file or block device`, {
      hint: 'name a regular file, or a partition such as /dev/disk/by-partlabel/NAME',
    });
  }
  const size = stats.isFile() ? stats.size : deviceSize(stats.rdev);
  let open = true;
  const close = (): void => {
    if (open) fs.closeSync(fd);
    open = false;
  };
  /** After a close the kernel reuses the number, so a later read would hit another file. */
  const requireOpen = (): void => {
    if (!open) throw new Error(`${path} is used after it was closed`);
  };
  const readInto = (offset: number, memory: Uint8Array): Uint8Array => {
    requireOpen();
    return translated('read', path, () => fill(fd, offset, memory));
  };
  return {
    size,
    isDevice: stats.isBlockDevice(),
    read: (offset, length) =>
      readInto(offset, new Uint8Array(Math.max(0, Math.min(length, size - offset)))),
    readInto,
    writeAt(offset, bytes) {
      requireOpen();
      const done = translated('write', path, () => drain(fd, offset, bytes));
      if (done === bytes.length) return;
      throw shortWrite(path, bytes.length, done);
    },
    cut(end) {
      requireOpen();
      // SAFETY: the port only carries this out. The verb that calls it says what boots.
      if (stats.isFile()) translated('cut', path, () => fs.ftruncateSync(fd, end));
    },
    // SAFETY: as for cut.
    sync: () => translated('sync', path, () => fs.fsyncSync(fd)),
    [Symbol.dispose]: close,
  };
}

const SECTOR = 512;

/**
 * Returns the size of a device in bytes, from the kernel (sysfs §block, always in sectors of 512).
 */
function deviceSize(device: number): number {
  // makedev(3) defines how the two numbers share these bits.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  const sectors = fs.readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1');
  return Number(sectors) * SECTOR;
}

/** Writes until everything is written or nothing more fits. Returns how many bytes were written. */
function drain(fd: number, offset: number, bytes: Uint8Array): number {
  let done = 0;
  while (done < bytes.length) {
    const count = fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
