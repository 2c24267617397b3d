/** The Disk port over a FAT in a region of a file: no mount, no root, and the same bytes every time. */

import { randomBytes } from 'node:crypto';
import { normalize } from 'node:path';
import { EspError } from '../error.ts';
import { isDirectory } from '../fat/check.ts';
import type { Entry } from '../fat/directory.ts';
import type { Geometry } from '../fat/geometry.ts';
import { type Region, SLOT } from '../fat/region.ts';
import { FatVolume } from '../fat/volume.ts';
import { FatWriter, type Manner } from '../fat/writer.ts';
import { notHeld } from '../io-error.ts';
import { exactSize } from '../quantity.ts';
import type { Disk, FileStat, WritableDisk } from './disk.ts';
import { newFatFile, openFatFile } from './fat-file.ts';
import { copyAcross } from './mounted-disk.ts';

/** A FAT, and the path under which it is shown. */
export interface FatMount extends Manner {
  readonly region: Region;
  /** An absolute path without detours. */
  readonly root: string;
  readonly access: 'read' | 'write';
  /** Returns the device, inode, owner and mode of the file that the FAT lies in. */
  readonly file: () => Pick<FileStat, 'device' | 'inode' | 'uid' | 'mode'>;
}

/** A disk that is a FAT, and how to read it anew. */
export interface FatDisk {
  readonly disk: WritableDisk;
  readonly geometry: Geometry;
  /** Forgets what was read: another process may have written since. @throws {FAT_MALFORMED} */
  readonly renew: () => void;
}

/** The magic number of FAT in statfs(2) (linux/magic.h §MSDOS_SUPER_MAGIC). */
const FAT = 0x4d44;

/**
 * Opens a FAT, makes sure that it is whole, and returns it as a disk with nothing but that.
 * @throws {ESP_NOT_FAT} {FAT_MALFORMED}
 */
export function fatDisk(mount: FatMount): FatDisk {
  const { region, root: name, access } = mount;
  const open = () => new FatWriter(new FatVolume({ region, name, access }), mount);
  let writer = open();
  const fat: Fat = { mount, writer: () => writer, inner: (path) => innerPath(path, name) };
  return {
    disk: { ...reading(fat), ...writing(fat, reading(fat)) },
    geometry: writer.volume.geometry,
    renew: () => {
      writer = open();
    },
  };
}

/** Returns a path relative to the root, without detours. A path outside leads nowhere. */
function innerPath(path: string, root: string): string {
  const plain = normalize(path);
  if (plain === root) return '';
  return plain.startsWith(`${root}/`) ? plain.slice(root.length + 1) : '\0';
}

interface Fat {
  readonly mount: FatMount;
  readonly writer: () => FatWriter;
  readonly inner: (path: string) => string;
}

function reading({ mount, writer, inner }: Fat): Disk {
  const volume = () => writer().volume;
  const stat = (path: string): FileStat | undefined => {
    const found = volume().find(inner(path));
    if (found === undefined) return undefined;
    const { inode, ...file } = mount.file();
    if (found === 'root') {
      return { ...ABSTRACT, ...file, inode, kind: 'directory', size: volume().root.slots * SLOT };
    }
    return { ...ABSTRACT, ...file, ...statOf(volume(), found, inner(path)) };
  };
  const fileAt = (path: string): Entry => {
    const found = volume().file(inner(path));
    if (found !== undefined) return found;
    const is = volume().find(inner(path)) === undefined ? 'does not exist' : 'is no regular file';
    throw new EspError('FILE_MISSING', `${path} ${is}`);
  };
  return {
    stat,
    linkStat: stat,
    list: (path) =>
      volume()
        .directory(inner(path))
        ?.entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    readLink: () => undefined,
    realPath: (path) => (stat(path) === undefined ? undefined : normalize(path)),
    read(path, limit) {
      const entry = fileAt(path);
      if (entry.size > limit) {
        throw new EspError(
          'FILE_TOO_LARGE',
          `${path}: expected at most ${exactSize(limit)}, got ${exactSize(entry.size)}`,
        );
      }
      using file = openFatFile(volume(), path, entry);
      return file.read(0, entry.size);
    },
    open: (path) => openFatFile(volume(), path, fileAt(path)),
    hostPath: () => undefined,
    fileSystem(path) {
      if (stat(path) === undefined) return undefined;
      const { clusterSize, geometry } = volume();
      const total = geometry.clusters * clusterSize;
      return { type: FAT, clusterSize, free: writer().free, total };
    },
  };
}

const ABSTRACT = { modified: 0, changed: 0 };

/** A file's number is the place of its record, as in the kernel. */
function statOf(volume: FatVolume, entry: Entry, path: string) {
  const above = volume.directory(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  const isBelow = isDirectory(entry);
  return {
    kind: kindOf(entry),
    size: isBelow ? (volume.directory(path)?.slots ?? 0) * SLOT : entry.size,
    inode: (above?.offsetOf(entry.slot) ?? 0) / SLOT,
    modified: entry.written * 1000,
    changed: entry.written * 1000,
  };
}

function kindOf(entry: Entry): 'file' | 'directory' {
  return isDirectory(entry) ? 'directory' : 'file';
}

function writing({ writer, inner }: Fat, read: Disk): Omit<WritableDisk, keyof Disk> {
  const create: WritableDisk['create'] = async (path) => newFatFile(writer(), inner(path));
  const remove = (path: string): void => {
    if (read.stat(path)?.kind === 'directory') throw failed('remove', path, 'it is a directory');
    // SAFETY: as on the machine's disk: whoever calls this says what boots.
    writer().remove(inner(path));
  };
  const rename = (from: string, to: string): void => {
    // SAFETY: as for remove.
    writer().rename(inner(from), inner(to));
  };
  const synced = (path: string, isThere: boolean): void => {
    if (!isThere) throw failed('sync', path, 'there is none');
    // SAFETY: as for remove.
    writer().barrier();
  };
  return {
    makeDirectory: (path) => makeDirectories(writer(), inner(path)),
    create,
    copy: (from, to) => copyAcross(read, from, { create, remove }, to),
    overwrite: async (path, bytes) => overwrite(writer(), path, inner(path), bytes),
    replaceText: (path, text) => replaceText({ ...read, create, rename, remove }, path, text),
    makeLink: (path) => {
      throw failed('link', path, 'FAT has no links');
    },
    rename,
    remove,
    syncFile: async (path) => synced(path, read.stat(path)?.kind === 'file'),
    // SAFETY: the barrier itself, as on the machine's disk.
    syncDirectory: (path) => synced(path, read.stat(path)?.kind === 'directory'),
    useSlots: (path, atLeast) => writer().useSlots(inner(path), atLeast),
    makeTemporary(directory, prefix) {
      const path = `${directory}/${prefix}${randomBytes(4).toString('hex')}`;
      writer().makeDirectory(inner(path));
      return path;
    },
    // SAFETY: nothing boots from a directory of makeTemporary.
    removeTemporary: (path) => writer().remove(inner(path)),
  };
}

function makeDirectories(writer: FatWriter, path: string): void {
  if (writer.volume.directory(path) !== undefined) return;
  const above = path.lastIndexOf('/');
  if (above > 0) makeDirectories(writer, path.slice(0, above));
  writer.makeDirectory(path);
}

/** Overwrites in one call, so that one sector is written as a whole or not at all. */
function overwrite(writer: FatWriter, path: string, inner: string, bytes: Uint8Array): void {
  const { volume } = writer;
  const entry = volume.file(inner);
  if (entry === undefined) throw failed('overwrite', path, 'there is no such file');
  if (bytes.length > entry.size) {
    throw failed('overwrite', path, `it has ${entry.size} bytes, and is to get ${bytes.length}`);
  }
  let at = 0;
  for (const { offset, length } of volume.runs(volume.chainOf(entry), bytes.length)) {
    // SAFETY: within one sector the file holds the old bytes or the new ones, and either boots. Its
    // name stays.
    writer.writeContent(offset, bytes.subarray(at, at + length));
    at += length;
  }
  // SAFETY: as above.
  writer.barrier();
}

/** Replaces a text through a temporary file. The name leads to the old text or the new one. */
async function replaceText(
  disk: Pick<WritableDisk, 'create' | 'rename' | 'remove' | 'read'>,
  path: string,
  text: string,
): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const temporary = `${path}.new`;
  // SAFETY: an unfinished file: nothing boots from it.
  disk.remove(temporary);
  const file = await disk.create(temporary);
  try {
    await file.write(bytes);
    await file.finish();
  } catch (error) {
    await file.abandon();
    // SAFETY: as above.
    disk.remove(temporary);
    throw error;
  }
  // SAFETY: the text is durable, and one sector makes the name lead there.
  disk.rename(temporary, path);
  if (Buffer.compare(disk.read(path, bytes.length), bytes) !== 0) throw notHeld(path);
}

function failed(operation: string, path: string, why: string): EspError {
  return new EspError('IO', `cannot ${operation} ${path}: ${why}`);
}
