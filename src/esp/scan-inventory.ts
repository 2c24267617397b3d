/** Reads which files are on an ESP. All of it is untrusted. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { withAstray } from './astray.ts';
import { scanCompanions } from './companions.ts';
import { extraDirectories, readManifests } from './extra-manifest.ts';
import type { ImageKind } from './image-kind.ts';
import type { Inventory } from './inventory.ts';
import {
  blobDirectory,
  ENTRIES,
  ENTRIES_SREL,
  type EspPath,
  espPath,
  IMAGES,
  KEPT_SETTINGS,
  LOADER_CONF,
  LOADER_CONF_LIMIT,
  LOADER_DIRECTORIES,
} from './layout.ts';
import { type LayoutMark, NO_WORD, parseLayoutMark } from './layout-mark.ts';
import { subdirectoriesIn } from './listings.ts';
import { lookupOn } from './lookup.ts';
import { scanBlob } from './scan-blob.ts';
import { type Demands, scanEntries } from './scan-entries.ts';
import { scanTemporaries } from './temporaries.ts';
import { readSmall } from './untrusted.ts';

/** In bytes. A larger file is not of the kind that its name says. */
const LIMIT = { loaderConf: LOADER_CONF_LIMIT, srel: 4096 };

/** Returns the directories in which we may make files. */
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
 * @param demands what firmware asks of our programs
 * @throws {ESP_NOT_MOUNTED} when there is no such directory
 * @throws {FOREIGN_LAYOUT} when a file or link is where a directory should be
 */
export function scanInventory(
  disk: Disk,
  root: string,
  token: string,
  imageKinds: readonly ImageKind[],
  demands: Demands = {},
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
  const companions = scanCompanions(disk, root, listings);
  const blobs = files(blobDirectory(token)).flatMap((file) => scanBlob(disk, root, file, demands));
  const { entries, unread } = scanEntries(
    { images: files(IMAGES), texts: files(ENTRIES) },
    { disk, root, kindOf: lookupOn(disk, root), token, imageKinds, demands },
  );
  return {
    ...(companions.length > 0 ? { companions } : {}),
    ...(manifests.length > 0 ? { manifests } : {}),
    ...(subdirectories.length > 0 ? { subdirectories } : {}),
    blobs,
    entries: withAstray(entries, blobs),
    unread,
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
): Pick<Inventory, 'loaderConf' | 'keptSettings' | 'layout' | 'layoutDamage'> {
  return {
    loaderConf: readSmall(disk, `${root}/${LOADER_CONF}`, LIMIT.loaderConf),
    keptSettings: readSmall(disk, `${root}/${KEPT_SETTINGS}`, LIMIT.loaderConf),
    layout: undefined,
    ...readLayout(disk, `${root}/${ENTRIES_SREL}`),
  };
}

/** Refuses a link, which would lead out of the ESP, and a file in place of a directory. */
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

/** A directory is told as such, and a rename replaces whatever else is no file. */
function readLayout(disk: Disk, path: string): LayoutMark {
  const stat = disk.linkStat(path);
  if (stat === undefined || stat.kind === 'directory') return {};
  if (stat.kind !== 'file') return { layoutDamage: 'it is no file' };
  if (stat.size > LIMIT.srel) return { layoutDamage: NO_WORD };
  return parseLayoutMark(disk.read(path, LIMIT.srel));
}
