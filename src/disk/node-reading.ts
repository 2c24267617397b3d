/** The reading half of the Disk port over node:fs. */

import * as fs from 'node:fs';
import { EspError } from '../error.ts';
import { errno, ioError, isAbsent, missing, optional, translated } from '../io-error.ts';
import { fill } from '../process/fill.ts';
import { exactSize } from '../quantity.ts';
import type { DirectoryEntry, Disk, FileKind, FileStat, FileSystem, OpenFile } from './disk.ts';

/** Reads the real file system. */
export const reading: Disk = {
  stat: (path) => optional('stat', path, () => toStat(fs.statSync(path, QUIET))),
  linkStat: (path) => optional('stat', path, () => toStat(fs.lstatSync(path, QUIET))),
  list: (path) => optional('list', path, () => listDirectory(path)),
  readLink,
  realPath: (path) => optional('resolve', path, () => fs.realpathSync.native(path)),
  read: (path, limit) => translated('read', path, () => readWhole(path, limit)),
  open: (path) => translated('open', path, () => openFile(path)),
  hostPath: (path) => path,
  fileSystem: (path) => optional('inspect the file system of', path, () => fileSystem(path)),
};

/** In bytes. The step for files of unknown size, such as those in /proc. */
const UNSIZED_CHUNK = 65_536;

/** Avoids the cost of an exception for the most common answer: the file does not exist. */
const QUIET = { throwIfNoEntry: false } as const;

function toStat(stats: fs.Stats | undefined): FileStat | undefined {
  if (stats === undefined) return undefined;
  return {
    kind: kindOf(stats),
    size: stats.size,
    mode: stats.mode,
    uid: stats.uid,
    gid: stats.gid,
    ...((stats.isBlockDevice() || stats.isCharacterDevice()) && { leadsTo: stats.rdev }),
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

function listDirectory(path: string): DirectoryEntry[] {
  return fs
    .readdirSync(path, { withFileTypes: true })
    .map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readLink(path: string): string | undefined {
  try {
    return fs.readlinkSync(path);
  } catch (error) {
    // readlink(2) reports EINVAL for a path that is no link.
    if (isAbsent(error) || errno(error) === 'EINVAL') return undefined;
    throw ioError('read the link', path, error);
  }
}

function fileSystem(path: string): FileSystem {
  const { type, bsize, bavail, blocks } = fs.statfsSync(path);
  return { type, clusterSize: bsize, free: bavail * bsize, total: blocks * bsize };
}

const { O_RDONLY, O_NONBLOCK, O_NOATIME } = fs.constants;

/**
 * Opens without waiting and without updating access times: looking at an ESP must not write to it.
 */
function openQuietly(path: string): number {
  try {
    return fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOATIME);
  } catch (error) {
    // Only the owner of a file may suppress its access time.
    if (errno(error) !== 'EPERM') throw error;
    return fs.openSync(path, O_RDONLY | O_NONBLOCK);
  }
}

/** Opens a regular file for reading. A FIFO planted in its place cannot make this wait. */
function openRegular(path: string): { fd: number; size: number } {
  let fd: number;
  try {
    fd = openQuietly(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    throw missing(path, error);
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
      `${path}: expected at most ${exactSize(limit)}, got ${exactSize(Math.max(size, limit + 1))}`,
    );
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Reads `size` bytes. A file of /proc or /sys claims to be empty, so it is read to its real end.
 */
function readToEnd(fd: number, size: number, limit: number): Uint8Array {
  if (size > 0) return readAt(fd, 0, size);
  const chunks: Uint8Array[] = [];
  let total = 0;
  while (total <= limit) {
    const chunk = readAt(fd, total, UNSIZED_CHUNK);
    chunks.push(chunk);
    total += chunk.length;
    if (chunk.length < UNSIZED_CHUNK) break;
  }
  return chunks.length === 1 ? (chunks[0] ?? new Uint8Array(0)) : concatenate(chunks, total);
}

function concatenate(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function readAt(fd: number, offset: number, length: number): Uint8Array {
  return fill(fd, offset, new Uint8Array(length));
}

function openFile(path: string): OpenFile {
  const { fd, size } = openRegular(path);
  let open = true;
  const within = (offset: number, length: number) => Math.max(0, Math.min(length, size - offset));
  const readInto = (offset: number, memory: Uint8Array): Uint8Array => {
    // After a close the kernel reuses the number, so a later read would hit another file.
    if (!open) throw new Error(`${path} is read after it was closed`);
    const part = memory.subarray(0, within(offset, memory.length));
    return translated('read', path, () => fill(fd, offset, part));
  };
  return {
    size,
    read: (offset, length) => readInto(offset, new Uint8Array(within(offset, length))),
    readInto,
    [Symbol.dispose]() {
      if (!open) return;
      open = false;
      translated('close', path, () => fs.closeSync(fd));
    },
  };
}
