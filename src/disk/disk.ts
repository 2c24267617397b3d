/**
 * The Disk port: every way the program may look at or change a file system. What runs programs, threads
 * and devices is the Machine port; it finds a file of a disk by its {@link Disk.hostPath}.
 */
import type { ByteSource } from '../byte-source.ts';

export type FileKind = 'file' | 'directory' | 'link' | 'other';

/** What a file is and which file it is. Sizes in bytes, times in milliseconds since the epoch. */
export interface FileStat {
  readonly kind: FileKind;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
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

/** An open file. Disposing of it closes it, and may be done more than once. */
export interface OpenFile extends Required<ByteSource>, Disposable {}

/** Reading. A missing file is `undefined` where the type says so; anything else throws IO. */
export interface Disk {
  /** Follows symbolic links. */
  stat(path: string): FileStat | undefined;
  /** Does not follow a final symbolic link. */
  linkStat(path: string): FileStat | undefined;
  /** The entries sorted by name, or undefined when there is no such directory. */
  list(path: string): readonly DirectoryEntry[] | undefined;
  readLink(path: string): string | undefined;
  /** The path with every link resolved, or undefined when it leads nowhere. */
  realPath(path: string): string | undefined;
  /**
   * The whole content of a regular file.
   * @throws {FILE_MISSING} when there is no such file
   * @throws {FILE_TOO_LARGE} when it holds more than `limit` bytes
   */
  read(path: string, limit: number): Uint8Array;
  /** @throws {FILE_MISSING} when there is no such regular file */
  open(path: string): OpenFile;
  fileSystem(path: string): FileSystem | undefined;
  /**
   * Returns the path under which the running system finds what a path leads to, for a child program or
   * a thread. Undefined on a disk that is no part of the running system: its files are read through here.
   */
  hostPath(path: string): string | undefined;
}

/** A file being made: nothing else sees it under a name that matters until it is renamed. */
export interface NewFile {
  /** Appends all of `bytes`. @throws {SHORT_WRITE} */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites bytes already written. @throws {SHORT_WRITE} */
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes the content durable and closes. */
  finish(): Promise<void>;
  /** Closes without a promise of durability. */
  abandon(): Promise<void>;
}

/** Who may read what is made: its owner alone, or everyone, as is the custom for unit files. */
export type Readers = 'owner' | 'everyone';

/** Writing. Only `transaction/` holds one. */
export interface WritableDisk extends Disk {
  /** Makes a directory and its missing parents, each durable in its own parent and for `owner`. */
  makeDirectory(path: string, readers?: Readers): void;
  /** Makes a file that must not exist yet, open for writing and for `owner` to read. */
  create(path: string, readers?: Readers): Promise<NewFile>;
  /** Copies a file to a name that must not exist yet, and makes the content durable. */
  copy(from: string, to: string): Promise<void>;
  /** Overwrites the first bytes of an existing file where it lies, durably. */
  overwrite(path: string, bytes: Uint8Array): void;
  /** Replaces a small text file as a whole (temporary, rename) for `owner`, then reads it back. */
  replaceText(path: string, text: string, readers?: Readers): Promise<void>;
  /** Makes or replaces a symbolic link, durably. `modified` is its own time, in milliseconds. */
  makeLink(path: string, target: string, modified: number): void;
  /**
   * Gives a file another name. On FAT the platter has that name without its content until `syncFile`:
   * empty if the name is new, with the freed clusters of the file that it replaces if it is not.
   */
  rename(from: string, to: string): void;
  /** Removes a file; a file that is already gone is no error. */
  remove(path: string): void;
  /** Makes durable what a file's name leads to. */
  syncFile(path: string): void;
  /** Makes a directory for `owner`, with a name that nobody could know before; returns its path. */
  makeTemporary(directory: string, prefix: string): string;
  /** Removes a directory that {@link makeTemporary} made, with all in it; one that is gone is no error. */
  removeTemporary(path: string): void;
  /** The barrier: names made and removed in this directory are durable afterwards. */
  syncDirectory(path: string): void;
}
