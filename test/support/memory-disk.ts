/** A disk in memory that behaves as FAT does when it is full and when the power fails. */
import { dirname, join } from 'node:path';
import type {
  DirectoryEntry,
  FileStat,
  FileSystem,
  NewFile,
  OpenFile,
  WritableDisk,
} from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { ioError } from '../../src/io-error.ts';
import { randomOf } from './fat-model.ts';
import {
  type DirectoryNode,
  type FileNode,
  fail,
  type Node,
  type Place,
  Volume,
  walk,
} from './memory-tree.ts';

/** Thrown when the power fails: the program and all its handles are dead. */
export class PowerLoss extends Error {
  override readonly name = 'PowerLoss';
}

/** What a planted path holds: a file's text or bytes, or a link. */
export type Planted = string | Uint8Array | { readonly link: string };

export interface MemoryDiskOptions {
  /** Where the FAT is mounted. */
  readonly mount?: string;
  /** Bytes; a multiple of `clusterSize`. */
  readonly capacity?: number;
  /** Bytes. */
  readonly clusterSize?: number;
  /** Another FAT of the same size, and where it is mounted. */
  readonly second?: string | undefined;
  /**
   * Whether directories report their size, as those of vfat do. Then the program reserves their
   * slots.
   */
  readonly directorySizes?: boolean;
  /** Files that lie there durably from the start, on the store or on the FAT. */
  readonly files?: Readonly<Record<string, Planted>>;
}

/** The magic numbers in statfs(2) of vfat, and of a store's file system (ext4). */
const MSDOS_SUPER_MAGIC = 0x4d44;
const EXT4_SUPER_MAGIC = 0xef53;

/** Every file of a Nix store was modified one second after the epoch: milliseconds. */
const STORE_TIME = 1000;
/** When the clock starts: milliseconds. */
const START = 1_000_000_000_000;

/**
 * One FAT or two, mounted on a plain file system that loses nothing. Each change counts as one
 * operation or more. {@link failPowerAt} chooses the operation at which the power fails, and {@link
 * crash} chooses which unsynced changes the disk then holds.
 */
export class MemoryDisk implements WritableDisk {
  readonly mount: string;
  readonly #store: Volume;
  readonly #fats: readonly Volume[];
  #operations = 0;
  #failAt = Number.POSITIVE_INFINITY;
  #off = false;
  #temporary = 0;

  constructor(options: MemoryDiskOptions = {}) {
    const { mount = '/boot', second, files = {} } = options;
    const { capacity = 1 << 20, clusterSize = 512, directorySizes = false } = options;
    this.mount = mount;
    this.#store = new Volume({
      fat: false,
      directorySizes,
      device: 1,
      clusterSize: 4096,
      clusters: 1 << 30,
    });
    const clusters = capacity / clusterSize;
    this.#fats = (second === undefined ? [mount] : [mount, second]).map((point, index) => {
      const fat = new Volume({
        fat: true,
        directorySizes,
        device: 2 + index,
        clusterSize,
        clusters,
      });
      this.#directory(point).mounted = fat.root;
      return fat;
    });
    for (const [path, content] of Object.entries(files)) this.plant(path, content);
  }

  /** How many operations there were. Reading is none. */
  get operations(): number {
    return this.#operations;
  }

  /** Fails the power in the middle of operation `index`, counted from now and from 0. */
  failPowerAt(index: number): void {
    this.#failAt = this.#operations + index;
  }

  /**
   * Cuts the power, unless it failed already, and boots again with some of the unsynced changes.
   * @param seed 0: none survives; 1: all survive; any other: a subset that depends on the seed
   */
  crash(seed: number): void {
    const random = randomOf(seed);
    for (const fat of this.#fats) fat.crash(random);
    this.#failAt = Number.POSITIVE_INFINITY;
    this.#off = false;
  }

  /** Puts a file or link somewhere, durably and at once, with its parent directories. */
  plant(path: string, content: Planted): void {
    const parent = this.#directory(dirname(path));
    const place = walk(this.#store.root, path, false);
    if (place?.node !== undefined) parent.volume.unlink(parent, place.name);
    const name = place?.name ?? '';
    if (typeof content === 'object' && 'link' in content) {
      const node = { kind: 'link', inode: 0, target: content.link, modified: STORE_TIME } as const;
      parent.volume.link(parent, name, node);
    } else {
      const file = parent.volume.newFile(parent.volume.fat ? START : STORE_TIME);
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      parent.volume.allocate(file, Math.ceil(bytes.length / parent.volume.clusterSize));
      file.content.write(0, bytes);
      file.content.sync();
      parent.volume.link(parent, name, file);
    }
    parent.volume.sync(parent);
  }

  /** Every file under a directory with its content, by path and sorted: what a test compares. */
  tree(path: string = this.mount): Map<string, Uint8Array> {
    const found = new Map<string, Uint8Array>();
    for (const { name, kind } of this.list(path) ?? []) {
      const child = join(path, name);
      if (kind === 'file') found.set(child, this.read(child, Number.POSITIVE_INFINITY));
      if (kind === 'directory') for (const [key, value] of this.tree(child)) found.set(key, value);
    }
    return found;
  }

  // reading

  stat(path: string): FileStat | undefined {
    const place = this.#find(path, true);
    return place?.node && statOf(place, place.node);
  }

  linkStat(path: string): FileStat | undefined {
    const place = this.#find(path, false);
    return place?.node && statOf(place, place.node);
  }

  list(path: string): readonly DirectoryEntry[] | undefined {
    const node = this.#find(path, true)?.node;
    if (node?.kind !== 'directory') return undefined;
    return node.names
      .all()
      .map((entry) => ({ name: entry.name, kind: entry.node.kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  readLink(path: string): string | undefined {
    const node = this.#find(path, false)?.node;
    return node?.kind === 'link' ? node.target : undefined;
  }

  realPath(path: string): string | undefined {
    const place = this.#find(path, true);
    return place?.node && (place.path || '/');
  }

  read(path: string, limit: number): Uint8Array {
    const bytes = this.#regular(path).content.current;
    if (bytes.length <= limit) return bytes.slice();
    const message = `${path}: expected at most ${limit} bytes, got ${bytes.length}`;
    throw new EspError('FILE_TOO_LARGE', message);
  }

  open(path: string): OpenFile {
    const bytes = this.#regular(path).content.current;
    const read = (offset: number, length: number): Uint8Array =>
      bytes.slice(offset, offset + length);
    const readInto = (offset: number, memory: Uint8Array): Uint8Array => {
      const part = bytes.subarray(offset, offset + memory.length);
      memory.set(part);
      return memory.subarray(0, part.length);
    };
    return { size: bytes.length, read, readInto, [Symbol.dispose]: () => undefined };
  }

  fileSystem(path: string): FileSystem | undefined {
    const place = this.#find(path, true);
    if (place?.node === undefined) return undefined;
    const volume = place.node.kind === 'directory' ? place.node.volume : place.directory.volume;
    const { fat, clusterSize, free, total } = volume;
    return {
      type: fat ? MSDOS_SUPER_MAGIC : EXT4_SUPER_MAGIC,
      clusterSize,
      free: free * clusterSize,
      total: total * clusterSize,
    };
  }

  /** The running system does not see this disk. */
  hostPath(): undefined {
    return undefined;
  }

  // writing

  makeDirectory(path: string): void {
    kernel('make the directory', path, () => {
      this.#alive();
      const missing: string[] = [];
      for (let at = path; this.#find(at, true)?.node === undefined; at = dirname(at)) {
        missing.unshift(at);
      }
      for (const directory of missing) this.#makeOne(directory);
      if (this.#find(path, true)?.node?.kind !== 'directory') fail('EEXIST');
    });
  }

  async create(path: string): Promise<NewFile> {
    const file = kernel('create', path, () => this.#createFile(path));
    return this.#handle(path, file);
  }

  async copy(from: string, to: string): Promise<void> {
    const bytes = kernel(`copy ${from} to`, to, () => this.#regular(from).content.current);
    const file = await this.create(to);
    try {
      await file.write(bytes);
      await file.finish();
    } catch (error) {
      if (!this.#off) this.remove(to);
      throw error;
    }
  }

  async overwrite(path: string, bytes: Uint8Array): Promise<void> {
    kernel('overwrite', path, () => {
      const { node, directory } = this.#existing(path, true);
      if (node.kind !== 'file') fail('EISDIR');
      this.#writeInto(directory.volume, node, 0, bytes);
      this.#syncFile(node);
    });
  }

  async replaceText(path: string, text: string): Promise<void> {
    const target = this.realPath(path) ?? path;
    const temporary = `${target}.${++this.#temporary}`;
    const file = await this.create(temporary);
    try {
      await file.write(new TextEncoder().encode(text));
      await file.finish();
      this.rename(temporary, target);
      await this.syncFile(target);
    } catch (error) {
      if (!this.#off) this.remove(temporary);
      throw error;
    }
    this.syncDirectory(dirname(target));
  }

  makeLink(path: string, target: string, modified: number): void {
    kernel('link', path, () => {
      const place = this.#find(path, false) ?? fail('ENOENT');
      if (place.node !== undefined) place.directory.volume.unlink(place.directory, place.name);
      const node = { kind: 'link', inode: 0, target, modified } as const;
      place.directory.volume.link(place.directory, place.name, node);
      this.#tick();
    });
    this.syncDirectory(dirname(path));
  }

  rename(from: string, to: string): void {
    kernel('rename', from, () => {
      const source = this.#existing(from, false);
      const target = this.#find(to, false) ?? fail('ENOENT');
      if (target.directory.volume !== source.directory.volume) fail('EXDEV');
      if (target.node === source.node) return;
      if (target.node?.kind === 'directory') fail('EISDIR');
      const { volume } = source.directory;
      // Three changes, each of which may survive a crash without the others: measured on vfat. The
      // name is that of an empty file until the file itself is synced.
      if (target.node !== undefined) volume.unlink(target.directory, target.name);
      const hollow = volume.fat ? volume.newFile(this.#now()) : undefined;
      volume.link(target.directory, target.name, source.node, hollow);
      volume.unlink(source.directory, source.name);
      this.#tick();
    });
  }

  remove(path: string): void {
    kernel('remove', path, () => {
      const place = this.#find(path, false);
      if (place?.node === undefined) return;
      if (place.node.kind === 'directory') fail('EISDIR');
      place.directory.volume.unlink(place.directory, place.name);
      this.#tick();
    });
  }

  makeTemporary(directory: string, prefix: string): string {
    const path = `${directory}/${prefix}${String(++this.#temporary).padStart(6, '0')}`;
    this.makeDirectory(path);
    return path;
  }

  removeTemporary(path: string): void {
    for (const { name, kind } of this.list(path) ?? []) {
      if (kind === 'directory') this.removeTemporary(join(path, name));
      else this.remove(join(path, name));
    }
    kernel('remove', path, () => {
      const place = this.#find(path, false);
      if (place?.node === undefined) return;
      place.directory.volume.unlink(place.directory, place.name);
      this.#tick();
    });
  }

  async syncFile(path: string): Promise<void> {
    kernel('sync', path, () => {
      const { node, directory, name } = this.#existing(path, true);
      if (node.kind !== 'file') fail('EISDIR');
      this.#syncFile(node);
      directory.names.settle(name);
    });
  }

  syncDirectory(path: string): void {
    kernel('sync', path, () => {
      const { node } = this.#existing(path, true);
      if (node.kind !== 'directory') fail('ENOTDIR');
      this.#tick();
      node.volume.sync(node);
    });
  }

  // how it is done

  #alive(): void {
    if (this.#off) throw new PowerLoss('the power is off');
  }

  /** Counts an operation. One that changes things fails after its change, and a sync before it. */
  #tick(): void {
    if (this.#operations++ < this.#failAt) return;
    this.#off = true;
    throw new PowerLoss(`the power failed in operation ${this.#operations - 1}`);
  }

  #find(path: string, follow: boolean): Place | undefined {
    this.#alive();
    return walk(this.#store.root, path, follow);
  }

  #existing(path: string, follow: boolean): Place & { readonly node: Node } {
    const place = this.#find(path, follow);
    return place?.node === undefined ? fail('ENOENT') : { ...place, node: place.node };
  }

  #regular(path: string): FileNode {
    const node = this.#find(path, true)?.node;
    if (node?.kind === 'file') return node;
    throw new EspError(
      'FILE_MISSING',
      `${path}: expected a regular file, got ${node?.kind ?? 'nothing'}`,
    );
  }

  /** The directory at a path, made durably where it is missing. */
  #directory(path: string): DirectoryNode {
    const place = walk(this.#store.root, path, true);
    if (place?.node?.kind === 'directory') return place.node;
    const parent = this.#directory(dirname(path));
    const made = this.#newDirectory(parent, STORE_TIME);
    parent.volume.link(parent, path.slice(path.lastIndexOf('/') + 1), made);
    parent.volume.sync(parent);
    return made;
  }

  #newDirectory(parent: DirectoryNode, modified: number): DirectoryNode {
    const made = parent.volume.newDirectory(modified);
    parent.volume.allocate(made, 1);
    return made;
  }

  #makeOne(path: string): void {
    const place = this.#find(path, true) ?? fail('ENOENT');
    place.directory.volume.link(
      place.directory,
      place.name,
      this.#newDirectory(place.directory, this.#now()),
    );
    this.#tick();
    this.syncDirectory(dirname(path));
  }

  #createFile(path: string): { node: FileNode; volume: Volume } {
    const place = this.#find(path, false) ?? fail('ENOENT');
    if (place.node !== undefined) fail('EEXIST');
    const { volume } = place.directory;
    const node = volume.newFile(this.#now());
    volume.link(place.directory, place.name, node);
    this.#tick();
    return { node, volume };
  }

  #handle(path: string, file: { node: FileNode; volume: Volume }): NewFile {
    const { node, volume } = file;
    let end = 0;
    let closed = false;
    const write = (offset: number, bytes: Uint8Array): void =>
      kernel('write', path, () => {
        if (closed) fail('EBADF');
        this.#writeInto(volume, node, offset, bytes);
      });
    return {
      write: async (bytes) => {
        write(end, bytes);
        end += bytes.length;
      },
      writeAt: async (offset, bytes) => write(offset, bytes),
      finish: async () => {
        if (!closed) kernel('sync', path, () => this.#syncFile(node));
        closed = true;
      },
      abandon: async () => {
        closed = true;
      },
    };
  }

  /** Writes as much as fits. A full disk keeps the beginning and fails. */
  #writeInto(volume: Volume, node: FileNode, offset: number, bytes: Uint8Array): void {
    this.#alive();
    const room = (volume.free + node.clusters) * volume.clusterSize - offset;
    const fitting = bytes.subarray(0, Math.max(0, room));
    const end = offset + fitting.length;
    volume.allocate(node, Math.ceil(end / volume.clusterSize));
    node.content.write(offset, fitting);
    node.modified = this.#now();
    this.#tick();
    if (fitting.length < bytes.length) fail('ENOSPC');
  }

  #syncFile(node: FileNode): void {
    this.#alive();
    this.#tick();
    node.content.sync();
  }

  /** A clock that only the changes themselves move, in the two-second steps of FAT: milliseconds. */
  #now(): number {
    return START + 2000 * this.#operations;
  }
}

/** Runs an operation and reports its failure as the real disk does; a power loss stays what it is. */
function kernel<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof PowerLoss ? error : ioError(operation, path, error);
  }
}

function statOf(place: Place, node: Node): FileStat {
  const volume = node.kind === 'directory' ? node.volume : place.directory.volume;
  return {
    kind: node.kind,
    size: sizeOf(node),
    mode: MODES[node.kind],
    uid: process.getuid?.() ?? 0,
    device: volume.device,
    inode: node.inode,
    modified: node.modified,
    changed: node.modified,
  };
}

const MODES = { file: 0o100600, directory: 0o040700, link: 0o120777 } as const;

function sizeOf(node: Node): number {
  if (node.kind === 'file') return node.content.current.length;
  if (node.kind === 'link') return node.target.length;
  const { directorySizes, clusterSize } = node.volume;
  return directorySizes ? node.clusters * clusterSize : 0;
}
