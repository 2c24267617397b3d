/** The Disk port over node:fs: the real file system. */

import * as fs from 'node:fs';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { EspError } from '../error.ts';
import type {
  Disk,
  FileKind,
  FileStat,
  FileSystem,
  NewFile,
  OpenFile,
  WritableDisk,
} from './disk.ts';
import { errno, ioError, isAbsent, optional, translated } from './io-error.ts';

/** How much is read at once from a file that does not tell its size, as those in /proc: bytes. */
const UNSIZED_CHUNK = 65_536;

/** Returns the real file system. */
export function nodeDisk(): WritableDisk {
  return { ...reading, ...writing };
}

const reading: Disk = {
  stat: (path) => optional('stat', path, () => toStat(fs.statSync(path, QUIET))),
  linkStat: (path) => optional('stat', path, () => toStat(fs.lstatSync(path, QUIET))),
  list: (path) => optional('list', path, () => listDirectory(path)),
  readLink,
  realPath: (path) => optional('resolve', path, () => fs.realpathSync.native(path)),
  read: (path, limit) => translated('read', path, () => readWhole(path, limit)),
  open: (path) => translated('open', path, () => openFile(path)),
  fileSystem: (path) => optional('inspect the file system of', path, () => fileSystem(path)),
};

const writing: Omit<WritableDisk, keyof Disk> = {
  makeDirectory: (path) => translated('make the directory', path, () => makeDirectory(path)),
  create,
  copy,
  overwrite: (path, bytes) => translated('overwrite', path, () => overwrite(path, bytes)),
  replaceText,
  // SAFETY: the port only carries out; what boots if power fails here is told where a plan calls it.
  rename: (from, to) => translated('rename', from, () => fs.renameSync(from, to)),
  // SAFETY: as for rename.
  remove: (path) => void optional('remove', path, () => fs.unlinkSync(path)),
  // SAFETY: the barrier itself. On FAT this also flushes the allocation table and the device.
  syncDirectory: (path) => translated('sync', path, () => syncDirectory(path)),
};

/** Spares the cost of an exception for the commonest answer of all. */
const QUIET = { throwIfNoEntry: false } as const;

function toStat(stats: fs.Stats | undefined): FileStat | undefined {
  if (stats === undefined) return undefined;
  return {
    kind: kindOf(stats),
    size: stats.size,
    mode: stats.mode,
    uid: stats.uid,
    device: stats.dev,
    inode: stats.ino,
    modified: stats.mtimeMs,
    changed: stats.ctimeMs,
  };
}

function kindOf(entry: fs.Stats | fs.Dirent): FileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

function listDirectory(path: string): { name: string; kind: FileKind }[] {
  return fs
    .readdirSync(path, { withFileTypes: true })
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readLink(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch (error) {
    // EINVAL is readlink(2)'s word for "not a link".
    if (isAbsent(error) || errno(error) === 'EINVAL') return undefined;
    throw ioError('read the link', path, error);
  }
}

function fileSystem(path: string): FileSystem {
  const { type, bsize, bavail, blocks } = fs.statfsSync(path);
  return { type, clusterSize: bsize, free: bavail * bsize, total: blocks * bsize };
}

/** Opens a regular file for reading; a FIFO planted in its place cannot make this wait. */
function openRegular(path: string): { fd: number; size: number } {
  let fd: number;
  try {
    fd = fs.openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    throw new EspError('FILE_MISSING', `${path} does not exist`, { cause: error });
  }
  const stats = fs.fstatSync(fd);
  if (stats.isFile()) return { fd, size: stats.size };
  fs.closeSync(fd);
  const found = stats.isDirectory() ? 'a directory' : 'a special file';
  throw new EspError('FILE_MISSING', `${path}: expected a regular file, got ${found}`);
}

function readWhole(path: string, limit: number): Uint8Array {
  const { fd, size } = openRegular(path);
  try {
    const bytes = size > limit ? undefined : readToEnd(fd, size, limit);
    if (bytes !== undefined && bytes.length <= limit) return bytes;
    throw new EspError(
      'FILE_TOO_LARGE',
      `${path}: expected at most ${limit} bytes, got ${Math.max(size, limit + 1)}`,
    );
  } finally {
    fs.closeSync(fd);
  }
}

/** Reads `size` bytes; files of /proc claim to be empty and are read up to one byte past `limit`. */
function readToEnd(fd: number, size: number, limit: number): Uint8Array {
  if (size > 0) return readAt(fd, 0, size);
  const bytes = new Uint8Array(Math.min(limit + 1, UNSIZED_CHUNK));
  return fill(fd, 0, bytes);
}

function readAt(fd: number, offset: number, length: number): Uint8Array {
  return fill(fd, offset, new Uint8Array(length));
}

/** Reads until `bytes` is full or the file ends; returns what was read. */
function fill(fd: number, offset: number, bytes: Uint8Array): Uint8Array {
  let done = 0;
  while (done < bytes.length) {
    const count = fs.readSync(fd, bytes, done, bytes.length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done === bytes.length ? bytes : bytes.subarray(0, done);
}

function openFile(path: string): OpenFile {
  const { fd, size } = openRegular(path);
  let open = true;
  return {
    size,
    read(offset, length) {
      // The kernel hands the number out again: reading on would read another file.
      if (!open) throw new Error(`${path} is read after it was closed`);
      const wanted = Math.min(length, size - offset);
      if (wanted <= 0) return new Uint8Array(0);
      return translated('read', path, () => readAt(fd, offset, wanted));
    },
    close() {
      if (open) fs.closeSync(fd);
      open = false;
    },
  };
}

/** What is made is for its owner only: an image may carry secrets. FAT keeps no permissions. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

function makeDirectory(path: string): void {
  const first = fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  if (first === undefined) return;
  const top = dirname(first);
  let parent = path;
  // SAFETY: a directory that is lost here takes only new names with it; nothing boots from it yet.
  do {
    parent = dirname(parent);
    syncDirectory(parent);
  } while (parent !== top && parent !== dirname(parent));
}

function syncDirectory(path: string): void {
  withFile(path, constants.O_RDONLY | constants.O_DIRECTORY, fs.fsyncSync);
}

function withFile(path: string, flags: number, run: (fd: number) => void): void {
  const fd = fs.openSync(path, flags);
  try {
    run(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Overwrites in one call: one sector is then written as a whole or not at all. */
function overwrite(path: string, bytes: Uint8Array): void {
  withFile(path, constants.O_RDWR, (fd) => {
    // SAFETY: within one sector the file holds the old bytes or the new ones, and its name stays.
    const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
    if (written !== bytes.length) throw shortWrite(path, bytes.length, written);
    fs.fsyncSync(fd);
  });
}

function shortWrite(path: string, expected: number, got: number): EspError {
  return new EspError('SHORT_WRITE', `${path}: expected to write ${expected} bytes, got ${got}`);
}

async function create(path: string): Promise<NewFile> {
  const handle = await attempt('create', path, fs.promises.open(path, 'wx', FILE_MODE));
  let end = 0;
  const writeAll = async (offset: number, bytes: Uint8Array): Promise<void> => {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await attempt(
        'write',
        path,
        handle.write(bytes, done, bytes.length - done, offset + done),
      );
      // A full disk writes less first and says why only when asked again.
      if (bytesWritten === 0) throw shortWrite(path, bytes.length, done);
      done += bytesWritten;
    }
  };
  return {
    async write(bytes) {
      await writeAll(end, bytes);
      end += bytes.length;
    },
    writeAt: writeAll,
    async finish() {
      try {
        await attempt('sync', path, handle.sync());
      } finally {
        await handle.close();
      }
    },
    abandon: () => handle.close(),
  };
}

async function copy(from: string, to: string): Promise<void> {
  await attempt(`copy ${from} to`, to, fs.promises.copyFile(from, to, constants.COPYFILE_EXCL));
  const handle = await attempt('open', to, fs.promises.open(to, 'r'));
  try {
    await attempt('sync', to, handle.sync());
    const expected = (await attempt('stat', from, fs.promises.stat(from))).size;
    const got = (await attempt('stat', to, handle.stat())).size;
    if (got !== expected) throw shortWrite(to, expected, got);
  } finally {
    await handle.close();
  }
}

async function attempt<T>(operation: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw ioError(operation, path, error);
  }
}

/**
 * write-file-atomic asks for one write and does not look at how much of it was done, so on a full
 * disk it renames a truncated file into place. Writing the text into its temporary file beforehand,
 * to the end or not at all, leaves its own write nothing to run out of.
 */
async function replaceText(path: string, text: string): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  // SAFETY: on FAT the name may be gone for a moment; only files that nothing boots from come here.
  await attempt(
    'replace',
    path,
    writeFileAtomic(path, text, {
      mode: FILE_MODE,
      chown: false as never, // its types leave out the documented `false`: the owner stays
      fsync: true,
      tmpfileCreated: (temporary) => fs.writeFileSync(temporary, text, { flag: 'r+' }),
    }),
  );
  const expected = new TextEncoder().encode(text);
  const got = translated('read back', path, () => readWhole(path, expected.length));
  if (Buffer.compare(got, expected) !== 0) {
    throw new EspError('READ_BACK_MISMATCH', `${path} does not hold the text just written to it`);
  }
  translated('sync', dirname(path), () => syncDirectory(dirname(path)));
}
