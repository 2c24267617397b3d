/**
 * Remembers digests of unchanging files between runs. It saves time, and no decision depends on it.
 */
import { dirname, join } from 'node:path';
import type { Digest } from '../digest.ts';
import { EspError } from '../error.ts';
import type { FileStat, WritableDisk } from './disk.ts';
import { isTrusted } from './own-file.ts';

/**
 * Digests of files by (path, device, inode, size, modified, changed). `key` says what was digested:
 * `file` for the content itself, `signed:<fingerprint>` for the content with a signature. It is for
 * files of the system's own store. It must never hold files on the ESP, whose bytes can change
 * without the kernel's notice.
 */
export interface DigestCache {
  get(key: string, path: string, stat: FileStat): Digest | undefined;
  put(key: string, path: string, stat: FileStat, digest: Digest): void;
  /**
   * Writes the digests that this run used, if it added any.
   * @returns why the next run has to hash again, or undefined after success
   */
  save(): Promise<EspError | undefined>;
}

/** One remembered digest: `[key, path, device, inode, size, modified, changed, digest]`. */
type Row = readonly [string, string, number, number, number, number, number, Digest];

/** Raised when the meaning of a row changes. Caches with another number are ignored. */
const VERSION = 1;
const FILE_NAME = 'digests.json';
/** In bytes. Room for some twenty thousand rows. */
const SIZE_LIMIT = 4 * 1024 * 1024;

/**
 * In milliseconds. A file that changed this recently can change again without a new time: FAT
 * counts in steps of two seconds.
 */
const RACY = 3000;
/** In milliseconds. Every file of a Nix store was last modified one second after the epoch. */
const STORE_TIME = 1000;

/**
 * Opens the cache in a directory. A cache that is missing, broken, foreign or open to others is
 * empty.
 */
export function openDigestCache(disk: WritableDisk, directory: string): DigestCache {
  const path = join(directory, FILE_NAME);
  const opened = Date.now();
  const known = new Map(load(disk, path).map((row) => [nameOf(row[0], row[1]), row]));
  const used = new Map<string, Row>();
  let learned = false;
  return {
    get(key, file, stat) {
      const name = nameOf(key, file);
      const row = used.get(name) ?? known.get(name);
      if (row === undefined || !describes(row, stat)) return undefined;
      used.set(name, row);
      return row[7];
    },
    put(key, file, stat, digest) {
      const { device, inode, size, modified, changed } = stat;
      // The age counts from before the file's stat was read, so hashing it may take any time.
      if (modified > STORE_TIME && opened - modified < RACY) return;
      used.set(nameOf(key, file), [key, file, device, inode, size, modified, changed, digest]);
      learned = true;
    },
    async save() {
      try {
        sweep(disk, directory, opened);
        if (!learned) return undefined;
        await store(disk, path, [...used.values()]);
        learned = false;
        return undefined;
      } catch (error) {
        if (error instanceof EspError) return error;
        throw error;
      }
    },
  };
}

function nameOf(key: string, path: string): string {
  return `${key}\0${path}`;
}

function describes(row: Row, stat: FileStat): boolean {
  const [, , device, inode, size, modified, changed] = row;
  return (
    device === stat.device &&
    inode === stat.inode &&
    size === stat.size &&
    modified === stat.modified &&
    changed === stat.changed
  );
}

/** Whoever could plant a digest here could make this program accept another file. */
function load(disk: WritableDisk, path: string): readonly Row[] {
  try {
    if (!isTrusted(disk, dirname(path), 'directory') || !isTrusted(disk, path, 'file')) return [];
    const parsed: unknown = JSON.parse(new TextDecoder().decode(disk.read(path, SIZE_LIMIT)));
    return isCurrent(parsed) && parsed.rows.every(isRow) ? parsed.rows : [];
  } catch (error) {
    if (error instanceof EspError || error instanceof SyntaxError) return [];
    throw error;
  }
}

async function store(disk: WritableDisk, path: string, rows: readonly Row[]): Promise<void> {
  const directory = dirname(path);
  disk.makeDirectory(directory);
  if (!isTrusted(disk, directory, 'directory')) {
    throw new EspError('IO', `${directory} belongs to someone else, or others may write to it`, {
      hint: `chown it to this user and chmod it to 0700, or remove it`,
    });
  }
  await disk.replaceText(path, `${JSON.stringify({ version: VERSION, rows })}\n`);
}

/** The names that write-file-atomic gives to unfinished files. */
const UNFINISHED = new RegExp(`^${FILE_NAME.replace('.', '\\.')}\\.\\d+$`);
/** In milliseconds. No run takes longer from the cache's first byte to its rename. */
const ABANDONED = 60_000;

/** Removes the unfinished files of killed runs. */
function sweep(disk: WritableDisk, directory: string, now: number): void {
  for (const { name } of disk.list(directory) ?? []) {
    const path = join(directory, name);
    if (!UNFINISHED.test(name) || !isTrusted(disk, path, 'file')) continue;
    const { modified } = disk.linkStat(path) ?? { modified: now };
    // SAFETY: nothing boots from the cache. A living writer would have renamed this file long ago.
    if (now - modified > ABANDONED) disk.remove(path);
  }
}

function isCurrent(value: unknown): value is { readonly rows: readonly unknown[] } {
  if (typeof value !== 'object' || value === null) return false;
  if (!('version' in value && 'rows' in value)) return false;
  return value.version === VERSION && Array.isArray(value.rows);
}

function isRow(value: unknown): value is Row {
  if (!Array.isArray(value) || value.length !== 8) return false;
  const [key, path, ...numbers] = value.slice(0, 7);
  return (
    typeof key === 'string' &&
    typeof path === 'string' &&
    numbers.every(Number.isFinite) &&
    /^[0-9a-f]{64}$/.test(String(value[7]))
  );
}
