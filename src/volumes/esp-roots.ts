/** Finds the directories that the settings mean by ESP. */

import type { Context } from '../context.ts';
import type { ImageEsp } from '../disk/disk.ts';
import { ESP_TYPES, imagePlace } from '../disk/image-place.ts';
import { EspError } from '../error.ts';
import { type Access, findEsp, mountAt, requireEsp } from '../esp/mount.ts';
import type { Settings } from '../settings/settings.ts';
import { type Partition, partitionAt } from './partition.ts';

/** One ESP of the settings. */
export interface Esp {
  /** Where it is mounted: its real path, or the path as given when nothing is there. */
  readonly root: string;
  /** What udev knows of its partition; absent for a directory, and where udev knows nothing. */
  readonly partition?: Partition;
  /** Of one in a disk image: tells its file system from another, by whatever name it was asked for. */
  readonly identity?: string;
  /** Why it cannot be used. */
  readonly failure?: EspError;
}

/**
 * Returns the ESPs, the primary first and each once. An unusable one does not stop the others.
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} when no ESP can be used;
 * the error is the primary's
 */
export function findEsps(
  settings: Settings,
  context: Context,
  access: Access = 'write',
): readonly Esp[] {
  const { disk } = context;
  const found = (settings.esp ?? [findEsp(disk)]).map((path): Esp => {
    if (path === undefined) throw nowhere();
    try {
      return requireTarget(path, settings, context, access);
    } catch (error) {
      return { root: path, failure: expected(error) };
    }
  });
  requireOne(found);
  const esps = [...new Map(found.map((esp) => [esp.root, esp])).values()];
  requireApart(esps, settings['allow-directory'], disk);
  return esps;
}

/**
 * Returns an ESP that firmware finds, as far as anybody can tell here. One in a disk image is opened
 * for that, so that whatever is wrong with it is told before anything else is done.
 * @throws {ESP_NOT_MOUNTED} {ESP_NOT_FAT} {ESP_READ_ONLY}
 * @throws {CONFIG_INVALID} when its partition is known to be of another type
 */
export function requireTarget(
  path: string,
  settings: Settings,
  context: Context,
  access: Access,
): Esp {
  const found = locate(path, settings, context, access);
  const { root, partition } = found;
  if (partition === undefined) return found;
  const { scheme = '', type } = partition;
  const expected = Object.hasOwn(ESP_TYPES, scheme) ? ESP_TYPES[scheme] : undefined;
  if (expected === undefined || type === undefined || type === expected) return found;
  throw new EspError(
    'CONFIG_INVALID',
    `${root}: firmware does not start from it: expected a partition of type ${expected}, got ${scheme} ${type}`,
    {
      hint: `name the ESP with --esp, or set the type of this partition: sfdisk --part-type DISK NUMBER ${expected}`,
    },
  );
}

function locate(path: string, settings: Settings, context: Context, access: Access): Esp {
  if (imagePlace(path, context.disk) !== undefined) {
    const { root, identity, partition } = openImage(path, context, access);
    const ofNoDisk = { disk: undefined, number: undefined, offset: undefined, size: undefined };
    return { root, identity, ...(partition && { partition: { ...partition, ...ofNoDisk } }) };
  }
  const root = requireEsp(context.disk, path, settings['allow-directory'], access);
  const partition = settings['allow-directory'] ? undefined : partitionAt(root, context);
  return { root, ...(partition && { partition }) };
}

/**
 * Opens an ESP in a disk image.
 * @throws {CONFIG_INVALID} when this verb knows mounted ESPs alone
 */
export function openImage(path: string, { images }: Context, access: Access): ImageEsp {
  if (images !== undefined) return images.open(path, access);
  throw new EspError('CONFIG_INVALID', `${path}: expected a mount point, got a file`, {
    hint: 'of the verbs that work on ESPs, install, plan, list, status, report, verify, repair and gc take disk images',
  });
}

/**
 * Two mount points of one partition are one ESP: as two mirrors, neither protects from anything. Two names of
 * one image are worse, for two writers would not know of each other.
 */
function requireApart(esps: readonly Esp[], isPlain: boolean, disk: Context['disk']): void {
  const seen = new Map<string, string>();
  const deviceAt = (root: string) => (isPlain ? undefined : mountAt(disk, root)?.device);
  for (const { root, failure, identity } of esps) {
    const device = failure ? undefined : (identity ?? deviceAt(root));
    if (device === undefined) continue;
    const other = seen.get(device);
    if (other !== undefined) {
      throw new EspError('CONFIG_INVALID', `${other} and ${root} are the same file system`, {
        hint: 'name each ESP once with --esp; a mirror is a partition of another disk',
      });
    }
    seen.set(device, root);
  }
}

/** Returns an error that an ESP may cause. Throws every other error. */
export function expected(error: unknown): EspError {
  if (error instanceof EspError) return error;
  throw error;
}

/** Throws the primary's failure when every ESP has one. */
export function requireOne(esps: readonly { readonly failure?: EspError | undefined }[]): void {
  if (esps[0]?.failure && esps.every(({ failure }) => failure)) throw esps[0].failure;
}

/**
 * Returns where the ESPs are, the primary first. A missing mirror fails when its turn comes, so
 * that it does not stop the primary.
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} for the primary
 */
export function espRoots(settings: Settings, context: Context, access?: Access): readonly string[] {
  const esps = findEsps(settings, context, access);
  if (esps[0]?.failure) throw esps[0].failure;
  return esps.map(({ root }) => root);
}

function nowhere(): EspError {
  return new EspError(
    'ESP_NOT_MOUNTED',
    'no FAT file system is mounted at /efi, /boot or /boot/efi',
    {
      hint: 'mount the ESP, or name where it is mounted with --esp',
    },
  );
}
