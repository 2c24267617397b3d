/** What lies on an ESP, read by name, size and header. Everything here is untrusted. */

import { lastValue, parseLines } from '../bls.ts';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { parsePe, readSection } from '../pe/pe.ts';
import {
  type ExtraFile,
  type ExtraManifest,
  extraDirectories,
  readManifests,
} from './extra-manifest.ts';
import {
  type BlobName,
  type BootCounter,
  blobDirectory,
  bootCounter,
  ENTRIES,
  ENTRIES_SREL,
  type EntryName,
  type EspPath,
  entryId,
  espPath,
  fileName,
  IMAGES,
  KEPT_SETTINGS,
  LOADER_CONF,
  parseBlobName,
  parseEntryName,
} from './layout.ts';
import { subdirectoriesIn } from './listings.ts';
import { scanTemporaries, type TemporaryFile } from './temporaries.ts';
import { isOurThin, isThin, requireIdentity } from './thin.ts';
import { parseType1, referencedPath } from './type1.ts';

/** A content-addressed file of ours. Sizes in bytes. */
export interface BlobFile {
  readonly path: EspPath;
  readonly size: number;
  readonly name: BlobName;
  /** Why the file cannot be what its name says, as far as its header tells. */
  readonly damage?: string;
}

/** A boot entry, ours or another's. */
export interface EntryFile {
  readonly path: EspPath;
  readonly size: number;
  /** File name without a boot counter: what systemd-boot and `bootctl` call the entry. */
  readonly id: string;
  /** Absent when the entry is not counted. */
  readonly counter?: BootCounter;
  /** Absent for an entry that is not ours. */
  readonly name?: EntryName;
  /** Of an entry that was taken over from another tool: the number of its generation, or 0. */
  readonly adopted?: number;
  /** Files on the ESP without which this entry does not boot. */
  readonly references: readonly EspPath[];
  /** Those of them, of an entry of ours, that are there and have no name of ours. */
  readonly outside?: readonly EspPath[];
  /** The command line, where it could be read. */
  readonly cmdline: string;
  readonly title?: string;
  readonly version?: string;
  readonly sortKey?: string;
  /** Name and VirtualSize in bytes of each section, of an image. */
  readonly sections?: readonly { readonly name: string; readonly size: number }[];
  readonly damage?: string;
}

/** A file that was taken over from another tool and is no entry. Size in bytes. */
export interface StrayFile {
  readonly path: EspPath;
  readonly size: number;
}

/** Space of one volume. Sizes in bytes. */
export interface Space {
  readonly clusterSize: number;
  readonly free: number;
  readonly total: number;
}

/** Everything on an ESP that a plan needs to know. Sizes in bytes. */
export interface Inventory extends Space {
  readonly blobs: readonly BlobFile[];
  readonly entries: readonly EntryFile[];
  /** Absent when nothing was taken over. */
  readonly strays?: readonly StrayFile[];
  /** Lists of extra files; absent when there was none. */
  readonly manifests?: readonly ExtraManifest[];
  /** The extra files that are ours, once that is decided. */
  readonly extras?: readonly ExtraFile[];
  /** Files by which a tool that is replaced says that another file, `of`, is its own. */
  readonly marks?: readonly (StrayFile & { readonly of: EspPath })[];
  readonly temporaries: readonly TemporaryFile[];
  readonly loaderConf: Uint8Array | undefined;
  /** What a run left that did not get to the end of replacing a foreign loader.conf. */
  readonly keptSettings?: Uint8Array | undefined;
  /** Trimmed content of `loader/entries.srel`, unless that is empty. */
  readonly layout: string | undefined;
  /** How many entries of others were not read, because there are too many. */
  readonly unread?: number;
  /** Those directories we may need that exist. */
  readonly directories: ReadonlySet<EspPath>;
  /** Directories in those, beside them: a file of ours cannot take the name of one. Absent when there are none. */
  readonly subdirectories?: readonly EspPath[];
  /** Space of the ESP, where entries and what they name are on another volume. */
  readonly espSpace?: Space;
}

/** Larger files of these kinds are not what they claim to be; ours is what a bootspec may make it. Bytes. */
const LIMIT = {
  own: 8 * 1024 * 1024,
  conf: 64 * 1024,
  loaderConf: 64 * 1024,
  srel: 4096,
  cmdline: 64 * 1024,
};
/** More entries of others than this, in one directory, are not read. Ours all are. */
const MAX_FOREIGN = 1000;
/** What is kept of an entry: a menu shows less, and no kernel reads more. UTF-16 units; references in number. */
const KEPT = { text: 256, cmdline: 4096, path: 260, references: 32, sections: 128 };

/** The directories in which we may make files. */
function ourDirectories(token: string): readonly EspPath[] {
  return [
    blobDirectory(token),
    IMAGES,
    ENTRIES,
    espPath('EFI', 'systemd'),
    espPath('EFI', 'BOOT'),
    espPath('loader'),
  ];
}

/**
 * Reads an ESP's inventory.
 * @param root the directory at which the ESP is mounted
 * @throws {ESP_NOT_MOUNTED} when there is no such directory
 * @throws {FOREIGN_LAYOUT} when something else is where a directory should be
 */
export function scanInventory(disk: Disk, root: string, token: string): Inventory {
  const space = disk.fileSystem(root);
  if (!space) throw new EspError('ESP_NOT_MOUNTED', `${root}: no such directory`);
  requireDirectories(disk, root, token);
  const listings = new Map(
    ourDirectories(token).map((path) => [path, disk.list(`${root}/${path}`)]),
  );
  const files = (directory: EspPath) =>
    (listings.get(directory) ?? [])
      .filter(({ kind }) => kind === 'file')
      .map(({ name }) => ({ name, path: espPath(directory, name) }));
  const [images, type1] = [
    listed(files(IMAGES), '.efi', token),
    listed(files(ENTRIES), '.conf', token),
  ];
  const manifests = readManifests(disk, root, files(blobDirectory(token)), token);
  for (const directory of extraDirectories(disk, root, manifests)) {
    if (!listings.has(directory)) listings.set(directory, disk.list(`${root}/${directory}`));
  }
  const subdirectories = subdirectoriesIn(listings);
  return {
    ...(manifests.length > 0 ? { manifests } : {}),
    ...(subdirectories.length > 0 ? { subdirectories } : {}),
    blobs: files(blobDirectory(token)).flatMap(({ name, path }) => {
      const parsed = parseBlobName(name);
      return parsed ? ifThere(() => scanBlob(disk, root, path, parsed)) : [];
    }),
    entries: [
      ...images.entries.flatMap(({ path, name }) =>
        ifThere(() => scanImage(disk, root, path, name)),
      ),
      ...type1.entries.flatMap(({ path, name }) =>
        ifThere(() => scanType1(disk, root, path, name)),
      ),
    ],
    unread: images.unread + type1.unread,
    temporaries: [...listings.keys()].flatMap((directory) =>
      scanTemporaries(disk, root, files(directory), token),
    ),
    loaderConf: readSmall(disk, `${root}/${LOADER_CONF}`, LIMIT.loaderConf),
    keptSettings: readSmall(disk, `${root}/${KEPT_SETTINGS}`, LIMIT.loaderConf),
    layout: readLayout(disk, `${root}/${ENTRIES_SREL}`),
    directories: new Set([...listings].flatMap(([path, list]) => (list ? [path] : []))),
    clusterSize: Math.max(space.clusterSize, 1),
    free: space.free,
    total: space.total,
  };
}

/** A link would lead out of the ESP, and where a file is no directory can be made. */
function requireDirectories(disk: Disk, root: string, token: string): void {
  for (const path of [espPath('EFI'), espPath('loader'), ...ourDirectories(token)]) {
    const kind = disk.linkStat(`${root}/${path}`)?.kind;
    if (kind === undefined || kind === 'directory') continue;
    throw new EspError(
      'FOREIGN_LAYOUT',
      `${root}/${path}: expected a directory, got a ${kind === 'other' ? 'special file' : kind}`,
      { hint: 'move it away, or run fsck.fat on the ESP if it should be a directory' },
    );
  }
}

/** An entry's file by what its name says. */
interface Listed {
  readonly path: EspPath;
  /** Absent for an entry that is not ours. */
  readonly name: EntryName | undefined;
}

/** Returns the entries among files that systemd-boot would list: all of ours, and some of others'. */
function listed(
  files: readonly { readonly name: string; readonly path: EspPath }[],
  suffix: string,
  token: string,
): { entries: readonly Listed[]; unread: number } {
  const all = files
    .filter(({ name }) => isListed(name, suffix))
    .map(({ name, path }) => ({ path, name: parseEntryName(token, name) }));
  let foreign = 0;
  const entries = all.filter(({ name }) => name !== undefined || foreign++ < MAX_FOREIGN);
  return { entries, unread: all.length - entries.length };
}

/** Whoever looks without a lock may find a file gone that was listed a moment ago: then it is not there. */
function ifThere<T>(scan: () => T): T[] {
  try {
    return [scan()];
  } catch (error) {
    if (error instanceof EspError && error.code === 'FILE_MISSING') return [];
    throw error;
  }
}

/**
 * An empty file says nothing: power lost in the middle of a rename, and the file system check after
 * it, may leave ours so. One that is too long to be a mark is another's all the same.
 */
function readLayout(disk: Disk, path: string): string | undefined {
  const stat = disk.linkStat(path);
  if (stat === undefined) return undefined;
  if (stat.kind !== 'file') return `a ${stat.kind === 'other' ? 'special file' : stat.kind}`;
  if (stat.size > LIMIT.srel) return `${stat.size} bytes`;
  return text(disk.read(path, LIMIT.srel))?.trim() || undefined;
}

/** Whether systemd-boot would look at a file of this name (BLS §Locations). */
function isListed(name: string, suffix: string): boolean {
  const lower = name.toLowerCase();
  return lower.endsWith(suffix) && !lower.startsWith('.') && !lower.startsWith('auto-');
}

function scanBlob(disk: Disk, root: string, path: EspPath, name: BlobName): BlobFile {
  const file = disk.open(`${root}/${path}`);
  try {
    const damage = name.kind === 'kernel' ? attempt(() => void parsePe(file)) : undefined;
    return { path, size: file.size, name, ...(damage === undefined ? {} : { damage }) };
  } finally {
    file.close();
  }
}

function scanType1(
  disk: Disk,
  root: string,
  path: EspPath,
  name: EntryName | undefined,
): EntryFile {
  const bytes = readSmall(disk, `${root}/${path}`, name ? LIMIT.own : LIMIT.conf);
  const { files, options, title, version, sortKey } = parseType1(text(bytes) ?? '');
  const damaged = name !== undefined && (!bytes || hash(bytes) !== name.digest);
  const named = references(files);
  const isOutside = (file: EspPath) =>
    parseBlobName(fileName(file)) === undefined &&
    disk.linkStat(`${root}/${file}`)?.kind === 'file';
  return {
    path,
    size: bytes?.length ?? 0,
    ...identity(path),
    ...(name ? { name, outside: named.filter(isOutside) } : {}),
    references: named,
    cmdline: cut(options, KEPT.cmdline),
    ...shown({ title, version, sortKey }),
    ...(damaged ? { damage: 'its text is not what its name says' } : {}),
  };
}

function scanImage(
  disk: Disk,
  root: string,
  path: EspPath,
  name: EntryName | undefined,
): EntryFile {
  const file = disk.open(`${root}/${path}`);
  let entry: EntryFile = {
    path,
    size: file.size,
    ...identity(path),
    ...(name ? { name } : {}),
    references: [],
    cmdline: '',
  };
  const damage = attempt(() => {
    const pe = parsePe(file);
    const { sections } = pe;
    const read = (wanted: string) => {
      const section = sections.find((candidate) => candidate.name === wanted);
      // What is too long to be shown must not hide whose image this is, and what it refers to.
      if (!section || section.virtualSize > LIMIT.cmdline) return '';
      return text(readSection(file, section, LIMIT.cmdline)) ?? '';
    };
    const thin = isThin(sections);
    entry = {
      ...entry,
      ...shownBy(read('.osrel')),
      sections: sections
        .slice(0, KEPT.sections)
        .map((section) => ({ name: section.name, size: section.virtualSize })),
      cmdline: cut(read('.cmdline'), KEPT.cmdline),
      references: thin
        ? references(['.linux', '.initrd'].map((section) => referencedPath(read(section))))
        : [],
    };
    if (!thin || !name) return;
    if (isOurThin(sections)) {
      requireIdentity(file, pe, name.digest);
    } else {
      // Lanzaboote's names are of the same shape: its images are not ours to remove.
      const { name: _another, ...foreign } = entry;
      entry = foreign;
    }
  });
  file.close();
  return damage === undefined ? entry : { ...entry, damage };
}

/** What systemd-boot shows of an image (BLS §Type #2), as far as our own images have it. */
function shownBy(osrel: string): Shown {
  const lines = parseLines(osrel, '=');
  const first = (...keys: readonly string[]) =>
    keys.map((key) => lastValue(lines, key)).find((value) => value !== undefined);
  return shown({
    title: first('PRETTY_NAME', 'IMAGE_ID', 'NAME', 'ID'),
    version: first('IMAGE_VERSION', 'VERSION', 'VERSION_ID', 'BUILD_ID'),
    sortKey: first('IMAGE_ID', 'ID'),
  });
}

type Shown = Pick<EntryFile, 'title' | 'version' | 'sortKey'>;

function shown(texts: { readonly [key in keyof Shown]: string | undefined }): Shown {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, cut(value, KEPT.text)]],
    ),
  );
}

/** What is too long for a path on FAT leads nowhere, and so does its beginning. */
function references(paths: readonly EspPath[]): readonly EspPath[] {
  return paths.slice(0, KEPT.references).map((path) => espPath(cut(path, KEPT.path)));
}

/** Returns the beginning of a text; as a copy, for a part of a string keeps all of it in memory. */
function cut(value: string, length: number): string {
  return text(new TextEncoder().encode(value.slice(0, length))) ?? '';
}

/** What an entry's file name says of whosever entry. */
function identity(path: EspPath): Pick<EntryFile, 'id' | 'counter'> {
  const name = fileName(path);
  const counter = bootCounter(name);
  return { id: entryId(name), ...(counter ? { counter } : {}) };
}

/** Runs a parser over hostile bytes and returns why it refused them, if it did. */
function attempt(parse: () => void): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof EspError) return explain(error);
    throw error;
  }
}

function readSmall(disk: Disk, path: string, limit: number): Uint8Array | undefined {
  const stat = disk.linkStat(path);
  return stat?.kind === 'file' && stat.size <= limit ? disk.read(path, limit) : undefined;
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
