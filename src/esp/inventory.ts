/** What lies on an ESP, read by name, size and header. Everything here is untrusted. */

import { lastValue, parseLines } from '../bls.ts';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { parsePe, readSection } from '../pe/pe.ts';
import {
  type BlobName,
  blobDirectory,
  ENTRIES,
  ENTRIES_SREL,
  type EntryName,
  type EspPath,
  entryId,
  espPath,
  IMAGES,
  isTemporaryName,
  LOADER_CONF,
  parseBlobName,
  parseEntryName,
} from './layout.ts';
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
  /** Absent for an entry that is not ours. */
  readonly name?: EntryName;
  /** Files on the ESP without which this entry does not boot. */
  readonly references: readonly EspPath[];
  /** The command line, where it could be read. */
  readonly cmdline: string;
  readonly title?: string;
  readonly version?: string;
  readonly sortKey?: string;
  /** Name and VirtualSize in bytes of each section, of an image. */
  readonly sections?: readonly { readonly name: string; readonly size: number }[];
  readonly damage?: string;
}

/** An unfinished file of a run that was killed. Size in bytes. */
export interface TemporaryFile {
  readonly path: EspPath;
  readonly size: number;
  /**
   * The file that it became. Power was lost in the middle of a rename, and both names lead to the
   * same clusters: to remove or replace either would free what the other holds. Only a file system
   * check can tell them apart.
   */
  readonly twin?: EspPath;
}

/** Everything on an ESP that a plan needs to know. Sizes in bytes. */
export interface Inventory {
  readonly blobs: readonly BlobFile[];
  readonly entries: readonly EntryFile[];
  readonly temporaries: readonly TemporaryFile[];
  readonly loaderConf: Uint8Array | undefined;
  /** Trimmed content of `loader/entries.srel`, unless that is empty. */
  readonly layout: string | undefined;
  /** Those directories we may need that exist. */
  readonly directories: ReadonlySet<EspPath>;
  readonly clusterSize: number;
  readonly free: number;
  readonly total: number;
}

/** Larger files of these kinds are not what they claim to be. Bytes. */
const LIMIT = { conf: 64 * 1024, loaderConf: 64 * 1024, srel: 4096, cmdline: 64 * 1024 };
/** More entries than this are not read for what they refer to. */
const MAX_FILES = 20_000;

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
 */
export function scanInventory(disk: Disk, root: string, token: string): Inventory {
  const space = disk.fileSystem(root);
  if (!space) throw new EspError('ESP_NOT_MOUNTED', `${root}: no such directory`);
  const listings = new Map(
    ourDirectories(token).map((path) => [path, disk.list(`${root}/${path}`)?.slice(0, MAX_FILES)]),
  );
  const files = (directory: EspPath) =>
    (listings.get(directory) ?? [])
      .filter(({ kind }) => kind === 'file')
      .map(({ name }) => ({ name, path: espPath(directory, name) }));
  return {
    blobs: files(blobDirectory(token)).flatMap(({ name, path }) => {
      const parsed = parseBlobName(name);
      return parsed ? [scanBlob(disk, root, path, parsed)] : [];
    }),
    entries: [
      ...files(IMAGES)
        .filter(({ name }) => isListed(name, '.efi'))
        .map(({ name, path }) => scanImage(disk, root, path, parseEntryName(token, name))),
      ...files(ENTRIES)
        .filter(({ name }) => isListed(name, '.conf'))
        .map(({ name, path }) => scanType1(disk, root, path, parseEntryName(token, name))),
    ],
    temporaries: [...listings.keys()].flatMap((directory) => {
      const paths = files(directory).map(({ path }) => path);
      const isTemporary = (path: EspPath) => isTemporaryName(path.slice(directory.length + 1));
      const finished = paths.filter((path) => !isTemporary(path));
      return paths.filter(isTemporary).map((path) => scanTemporary(disk, root, path, finished));
    }),
    loaderConf: readSmall(disk, `${root}/${LOADER_CONF}`, LIMIT.loaderConf),
    layout: readLayout(disk, `${root}/${ENTRIES_SREL}`),
    directories: new Set([...listings].flatMap(([path, list]) => (list ? [path] : []))),
    clusterSize: Math.max(space.clusterSize, 1),
    free: space.free,
    total: space.total,
  };
}

function scanTemporary(
  disk: Disk,
  root: string,
  path: EspPath,
  finished: readonly EspPath[],
): TemporaryFile {
  const size = disk.stat(`${root}/${path}`)?.size ?? 0;
  const twin = finished.find(
    (other) => size > 0 && haveSameContent(disk, `${root}/${path}`, `${root}/${other}`),
  );
  return { path, size, ...(twin === undefined ? {} : { twin }) };
}

/** Bytes compared at a time. */
const CHUNK = 1024 * 1024;

function haveSameContent(disk: Disk, a: string, b: string): boolean {
  if (disk.stat(a)?.size !== disk.stat(b)?.size) return false;
  const [left, right] = [disk.open(a), disk.open(b)];
  try {
    for (let at = 0; at < left.size; at += CHUNK) {
      const [one, other] = [left.read(at, CHUNK), right.read(at, CHUNK)];
      if (one.length !== other.length || one.some((byte, index) => byte !== other[index])) {
        return false;
      }
    }
    return true;
  } finally {
    left.close();
    right.close();
  }
}

/**
 * An empty file says nothing: power lost in the middle of a rename, and the file system check after
 * it, may leave ours so. One that is too long to be a mark is another's all the same.
 */
function readLayout(disk: Disk, path: string): string | undefined {
  const stat = disk.stat(path);
  if (stat?.kind !== 'file') return undefined;
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
  const bytes = readSmall(disk, `${root}/${path}`, LIMIT.conf);
  const { files, options, ...shown } = parseType1(text(bytes) ?? '');
  const damaged = name !== undefined && (!bytes || hash(bytes) !== name.digest);
  return {
    path,
    size: bytes?.length ?? 0,
    id: idOf(path),
    ...(name ? { name } : {}),
    references: files,
    cmdline: options,
    ...shown,
    ...(damaged ? { damage: 'its text is not what its name says' } : {}),
  };
}

/** Sections that hold paths of other files in a thin image, as lanzaboote writes them. */
const THIN = ['.linuxh', '.initrdh'];

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
    id: idOf(path),
    ...(name ? { name } : {}),
    references: [],
    cmdline: '',
  };
  const damage = attempt(() => {
    const { sections } = parsePe(file);
    const read = (wanted: string) => {
      const section = sections.find((candidate) => candidate.name === wanted);
      // What is too long to be shown must not hide whose image this is, and what it refers to.
      if (!section || section.virtualSize > LIMIT.cmdline) return '';
      return text(readSection(file, section, LIMIT.cmdline)) ?? '';
    };
    const thin = sections.some((section) => THIN.includes(section.name));
    entry = {
      ...entry,
      ...shownBy(read('.osrel')),
      sections: sections.map((section) => ({ name: section.name, size: section.virtualSize })),
      cmdline: read('.cmdline'),
      references: thin ? ['.linux', '.initrd'].map((section) => referencedPath(read(section))) : [],
    };
    // A thin image has a name like ours and is another tool's: never ours to remove.
    if (thin) {
      const { name: _another, ...foreign } = entry;
      entry = foreign;
    }
  });
  file.close();
  return damage === undefined ? entry : { ...entry, damage };
}

/** What systemd-boot shows of an image (BLS §Type #2), as far as our own images have it. */
function shownBy(osrel: string): Pick<EntryFile, 'title' | 'version' | 'sortKey'> {
  const lines = parseLines(osrel, '=');
  const first = (...keys: readonly string[]) =>
    keys.map((key) => lastValue(lines, key)).find((value) => value !== undefined);
  const title = first('PRETTY_NAME', 'IMAGE_ID', 'NAME', 'ID');
  const version = first('IMAGE_VERSION', 'VERSION', 'VERSION_ID', 'BUILD_ID');
  const sortKey = first('IMAGE_ID', 'ID');
  return {
    ...(title === undefined ? {} : { title }),
    ...(version === undefined ? {} : { version }),
    ...(sortKey === undefined ? {} : { sortKey }),
  };
}

function idOf(path: EspPath): string {
  return entryId(path.slice(path.lastIndexOf('/') + 1));
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
  const stat = disk.stat(path);
  return stat?.kind === 'file' && stat.size <= limit ? disk.read(path, limit) : undefined;
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
