/** Reads what lies on an ESP. Everything here is untrusted. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { parsePe } from '../pe/pe.ts';
import { extraDirectories, readManifests } from './extra-manifest.ts';
import type { ImageKind } from './image-kind.ts';
import type { BlobFile, Inventory } from './inventory.ts';
import {
  type BlobName,
  blobDirectory,
  ENTRIES,
  ENTRIES_SREL,
  type EspPath,
  espPath,
  IMAGES,
  isProgram,
  KEPT_SETTINGS,
  LOADER_CONF,
  LOADER_CONF_LIMIT,
  LOADER_DIRECTORIES,
  parseBlobName,
} from './layout.ts';
import { subdirectoriesIn } from './listings.ts';
import { type ListedFile, scanEntries } from './scan-entries.ts';
import { scanTemporaries } from './temporaries.ts';
import { attempt, decode, ifThere, readSmall } from './untrusted.ts';

/** Larger files of these kinds are not what they claim to be. Bytes. */
const LIMIT = { loaderConf: LOADER_CONF_LIMIT, srel: 4096 };

/** The directories in which we may make files. */
function ourDirectories(token: string): readonly EspPath[] {
  return [
    blobDirectory(token),
    IMAGES,
    ENTRIES,
    ...Object.values(LOADER_DIRECTORIES),
    espPath('loader'),
  ];
}

/**
 * Reads an ESP's inventory.
 * @param root the directory at which the ESP is mounted
 * @param imageKinds every kind of image that there may be of ours
 * @throws {ESP_NOT_MOUNTED} when there is no such directory
 * @throws {FOREIGN_LAYOUT} when something else is where a directory should be
 */
export function scanInventory(
  disk: Disk,
  root: string,
  token: string,
  imageKinds: readonly ImageKind[],
): Inventory {
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
  const manifests = readManifests(disk, root, files(blobDirectory(token)), token);
  for (const directory of extraDirectories(disk, root, manifests)) {
    if (!listings.has(directory)) listings.set(directory, disk.list(`${root}/${directory}`));
  }
  const subdirectories = subdirectoriesIn(listings);
  return {
    ...(manifests.length > 0 ? { manifests } : {}),
    ...(subdirectories.length > 0 ? { subdirectories } : {}),
    blobs: files(blobDirectory(token)).flatMap((file) => scanBlob(disk, root, file)),
    ...scanEntries(
      { images: files(IMAGES), texts: files(ENTRIES) },
      { disk, root, token, imageKinds },
    ),
    temporaries: [...listings.keys()].flatMap((directory) =>
      scanTemporaries(disk, root, files(directory), token),
    ),
    ...scanSettings(disk, root),
    directories: new Set([...listings].flatMap(([path, list]) => (list ? [path] : []))),
    clusterSize: Math.max(space.clusterSize, 1),
    free: space.free,
    total: space.total,
  };
}

function scanSettings(
  disk: Disk,
  root: string,
): Pick<Inventory, 'loaderConf' | 'keptSettings' | 'layout'> {
  return {
    loaderConf: readSmall(disk, `${root}/${LOADER_CONF}`, LIMIT.loaderConf),
    keptSettings: readSmall(disk, `${root}/${KEPT_SETTINGS}`, LIMIT.loaderConf),
    layout: readLayout(disk, `${root}/${ENTRIES_SREL}`),
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

/**
 * An empty file says nothing: power lost in the middle of a rename, and the file system check after
 * it, may leave ours so. One that is too long to be a mark is another's all the same.
 */
function readLayout(disk: Disk, path: string): string | undefined {
  const stat = disk.linkStat(path);
  if (stat === undefined) return undefined;
  if (stat.kind !== 'file') return `a ${stat.kind === 'other' ? 'special file' : stat.kind}`;
  if (stat.size > LIMIT.srel) return `${stat.size} bytes`;
  return decode(disk.read(path, LIMIT.srel))?.trim() || undefined;
}

function scanBlob(disk: Disk, root: string, { name, path }: ListedFile): BlobFile[] {
  const parsed = parseBlobName(name);
  return parsed ? ifThere(() => readBlob(disk, root, path, parsed)) : [];
}

function readBlob(disk: Disk, root: string, path: EspPath, name: BlobName): BlobFile {
  using file = disk.open(`${root}/${path}`);
  const damage = isProgram(name) ? attempt(() => void parsePe(file)) : undefined;
  return { path, size: file.size, name, ...(damage === undefined ? {} : { damage }) };
}
