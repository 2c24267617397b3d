/**
 * The Disk port: every way in which the program reads or changes a file system. Programs, threads
 * and devices belong to the Machine port, which finds a file of a disk by its {@link
 * Disk.hostPath}.
 */
import type { ByteSource } from '../byte-source.ts';

export type FileKind = 'file' | 'directory' | 'link' | 'other';

/**
 * What kind of file it is, and which one. Sizes in bytes, times in milliseconds since the epoch.
 */
export interface FileStat {
  readonly kind: FileKind;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  /** Undefined where the file system keeps no groups. */
  readonly gid?: number;
  /** Of a device node: the number of the device that it leads to, as Linux puts it together. */
  readonly leadsTo?: number;
  readonly device: number;
  readonly inode: number;
  readonly modified: number;
  readonly changed: number;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

/** A mounted file system. Sizes in bytes. */
export interface FileSystem {
  /** The magic number that statfs(2) reports. */
  readonly type: number;
  readonly clusterSize: number;
  readonly free: number;
  readonly total: number;
}

/** An open file. Disposing of it closes it. Disposing twice is no error. */
export interface OpenFile extends Required<ByteSource>, Disposable {}

/** Reading. A missing file is `undefined` where the type says so. Every other failure throws IO. */
export interface Disk {
  /** Follows symbolic links. */
  stat(path: string): FileStat | undefined;
  /** Does not follow a final symbolic link. */
  linkStat(path: string): FileStat | undefined;
  /** Returns the entries sorted by name, or undefined when there is no such directory. */
  list(path: string): readonly DirectoryEntry[] | undefined;
  readLink(path: string): string | undefined;
  /** Returns the path with every link resolved, or undefined when it leads nowhere. */
  realPath(path: string): string | undefined;
  /**
   * Returns the whole content of a regular file.
   * @throws {FILE_MISSING} when there is no such file
   * @throws {FILE_TOO_LARGE} when it holds more than `limit` bytes
   */
  read(path: string, limit: number): Uint8Array;
  /** @throws {FILE_MISSING} when there is no such regular file */
  open(path: string): OpenFile;
  fileSystem(path: string): FileSystem | undefined;
  /**
   * Returns the path by which the running system finds the target of a path, for a child program or
   * a thread. Returns undefined on a disk outside the running system: its files are read through
   * this port.
   */
  hostPath(path: string): string | undefined;
}

/** A file in the making. It has a temporary name, which everyone ignores, until its rename. */
export interface NewFile {
  /** Appends all of `bytes`. @throws {SHORT_WRITE} */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes already written. @throws {SHORT_WRITE} */
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes the content durable and closes the file. */
  finish(): Promise<void>;
  /** Closes the file without making it durable. */
  abandon(): Promise<void>;
}

/**
 * Who may read a new file: its owner alone, or everyone, as is usual for unit files; a program everyone may
 * run, too.
 */
export type Readers = 'owner' | 'everyone' | 'program';

/** Writing. Only `transaction/` holds one. */
export interface WritableDisk extends Disk {
  /** Makes a directory and its missing parents, each durable in its own parent and for `owner`. */
  makeDirectory(path: string, readers?: Readers): void;
  /** Makes a file that must not exist yet, opens it for writing, and lets `owner` read it. */
  create(path: string, readers?: Readers): Promise<NewFile>;
  /** Copies a file to a name that must not exist yet, and makes the content durable. */
  copy(from: string, to: string): Promise<void>;
  /** Overwrites the first bytes of an existing file in place, durably. */
  overwrite(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * Replaces a small text file as a whole (temporary file, rename) for `owner`, then reads it back.
   */
  replaceText(path: string, text: string, readers?: Readers): Promise<void>;
  /**
   * Makes or replaces a symbolic link, durably. `modified` is the link's own time, in milliseconds.
   */
  makeLink(path: string, target: string, modified: number): void;
  /**
   * Renames a file. On FAT, until `syncFile`, the disk has the new name without its content: a new
   * name leads to an empty file, and a replaced name to the freed clusters of the old file.
   */
  rename(from: string, to: string): void;
  /** Removes a file; a file that is already gone is no error. */
  remove(path: string): void;
  /** Makes the content durable that a file's name leads to. */
  syncFile(path: string): Promise<void>;
  /** Makes a directory for `owner` with an unpredictable name. Returns its path. */
  makeTemporary(directory: string, prefix: string): string;
  /**
   * Removes a directory of {@link makeTemporary} with its content. One that is gone is no error.
   */
  removeTemporary(path: string): void;
  /**
   * Grows a directory to at least so many slots of FAT, and uses each free one once, durably. Only a
   * disk that can do so by itself has this.
   */
  useSlots?: ((path: string, atLeast: number) => void) | undefined;
  /** The barrier: afterwards, names that were made or removed in this directory are durable. */
  syncDirectory(path: string): void;
}

/** A partition of a disk image, in the words of udev. */
export interface ImagePartition {
  /** `gpt` or `dos`. */
  readonly scheme: string;
  /** A GUID in a GPT, as `0xef` in an MBR; in lower case. */
  readonly type: string;
  /** PARTUUID, in lower case. */
  readonly uuid: string;
}

/** An ESP in a disk image. */
export interface ImageEsp {
  /** The path under which `disk` shows it, and by which it is opened again. */
  readonly root: string;
  /** Tells one file system from another, by whatever names a file has. */
  readonly identity: string;
  /** Every other path leads where it did. */
  readonly disk: WritableDisk;
  /** Reads it anew, as after waiting for a lock. @throws {FAT_MALFORMED} */
  readonly renew: () => void;
  /** Undefined where there is no partition table, or no partition begins there. */
  readonly partition?: ImagePartition | undefined;
  /** Of the disk, in bytes, where there is a partition table. */
  readonly sectorSize?: number | undefined;
  /** Why firmware may not read it; undefined when it will. */
  readonly complaint?: string | undefined;
}

/** The disk images that a run works on. */
export interface ImageEsps {
  /**
   * Opens the ESP that a path names, and makes sure that it is whole.
   * @throws {CONFIG_INVALID} when the path names none, or the image is not raw
   * @throws {GPT_MALFORMED} {ESP_NOT_FAT} {FAT_MALFORMED}
   * @throws {IMAGE_BUSY} when it is to be written, and is attached to a loop device
   */
  open(path: string, access: 'read' | 'write'): ImageEsp;
}
