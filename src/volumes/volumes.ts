/**
 * Opens a target: finds the partitions that the loader reads besides the ESP, and joins them to one
 * tree.
 */

import type { Context } from '../context.ts';
import type { Disk, ImageEsp, WritableDisk } from '../disk/disk.ts';
import { joinedDisk } from '../disk/joined-disk.ts';
import { mountedDisk } from '../disk/mounted-disk.ts';
import { EspError, explain } from '../error.ts';
import { type EspPath, espPath, volumesOf } from '../esp/layout.ts';
import { type Access, requireEsp } from '../esp/mount.ts';
import type { Mounted, OtherVolume, Target } from '../esp/target.ts';
import type { Settings } from '../settings/settings.ts';
import { expected, findEsps, openImage, requireTarget } from './esp-roots.ts';
import { partitionAt, sectorSizeOf } from './partition.ts';
import { isRead, requireType } from './xbootldr.ts';

/**
 * Returns where the ESPs of the settings are, the primary first. It checks first that the
 * partitions named with them go together. Throws as {@link openTarget} and {@link findEsps} do.
 */
export function findTargets(settings: Settings, context: Context): readonly string[] {
  const esps = findEsps(settings, context);
  const { xbootldr, 'former-xbootldr': former } = settings;
  const [primary] = esps;
  if ((xbootldr ?? former) !== undefined && primary) openTarget(primary.root, settings, context);
  return esps.map(({ root }) => root);
}

/**
 * Opens one ESP of the settings with the partitions that go with it.
 * @param path where the ESP is mounted
 * @throws {CONFIG_INVALID} when these partitions do not go together
 * @throws {ESP_NOT_MOUNTED} {ESP_NOT_FAT} {ESP_READ_ONLY} for ESP and XBOOTLDR partition
 */
export function openTarget(
  path: string,
  settings: Settings,
  context: Context,
  access: Access = 'write',
): Target {
  const { disk } = context;
  const { xbootldr: named, 'former-xbootldr': formerly, 'allow-directory': plain } = settings;
  const { root } = requireTarget(path, settings, context, access);
  const isAlone = (named ?? formerly) === undefined;
  const esps = plain && isAlone ? [] : findEsps(settings, context, access);
  const partitions = esps.flatMap(({ partition }) => partition?.uuid ?? []);
  if (context.images !== undefined) {
    const volumes = [root, named].flatMap((one) => one ?? []);
    return inImage(
      volumes.map((one) => openImage(one, context, access)),
      partitions,
    );
  }
  if (isAlone) return alone(root, partitions, disk);
  if (esps.length > 1) {
    throw mismatch('an XBOOTLDR partition goes with one ESP', 'name one --esp, or do without');
  }
  const xbootldr = named && requireEsp(disk, named, plain, access, 'xbootldr');
  if (xbootldr !== undefined) requireApart([root, xbootldr], plain, disk);
  const former = formerly && findFormer(formerly, [root, xbootldr ?? root], settings, disk, access);
  const others = [
    ...(xbootldr === undefined ? [] : [emptied(root, xbootldr, plain, context)]),
    ...(typeof former === 'string' ? [{ root: former }] : []),
  ];
  return {
    ...joined(root, xbootldr, disk),
    sectorSize: sectorSizeOf(xbootldr ? partitionAt(xbootldr, context) : undefined, context.host),
    partitions,
    others,
    mounted: mountedAt([root, xbootldr ?? root, ...others.map((other) => other.root)], disk),
    warnings: former instanceof EspError ? [`it is not cleaned: ${explain(former)}`] : [],
  };
}

function alone(root: string, partitions: readonly string[], disk: WritableDisk): Target {
  const mounted = mountedAt([root], disk);
  const warnings = clonesAmong(partitions);
  return { ...joined(root, undefined, disk), partitions, others: [], mounted, warnings };
}

/**
 * Opens an ESP in a disk image as if it were mounted at the image's name, and with it the XBOOTLDR
 * partition of an image, if there is one.
 */
function inImage(volumes: readonly ImageEsp[], partitions: readonly string[]): Target {
  const [esp, xbootldr] = volumes;
  if (esp === undefined) throw new RangeError('"volumes" expected an ESP, got none');
  if (xbootldr !== undefined) requireType(xbootldr.root, xbootldr.partition ?? {});
  const disk = xbootldr ? mountedDisk(esp.disk, xbootldr.root, xbootldr.disk) : esp.disk;
  const complaints = volumes.filter(({ complaint }) => complaint !== undefined);
  return {
    ...joined(esp.root, xbootldr?.root, disk),
    sectorSize: xbootldr?.sectorSize,
    partitions,
    others: xbootldr === undefined ? [] : [{ root: esp.root }],
    mounted: mountedAt(
      volumes.map(({ root }) => root),
      disk,
    ),
    renew: () => {
      for (const { renew } of volumes) renew();
    },
    complaint: complaints[0]?.complaint,
    warnings: [
      ...clonesAmong(partitions),
      ...complaints.map(({ root, complaint }) => `${root}: ${complaint}`),
    ],
  };
}

/** A disk that was copied as a whole has the PARTUUIDs of the other: nobody can tell which one starts. */
function clonesAmong(partitions: readonly string[]): readonly string[] {
  const twice = partitions.find((uuid, index) => partitions.indexOf(uuid) !== index);
  return twice === undefined
    ? []
    : [
        `two ESPs have the PARTUUID ${twice}, as after a disk was copied with dd: give one of them another with sfdisk --part-uuid DISK NUMBER UUID`,
      ];
}

function mountedAt(points: readonly string[], disk: Disk): Mounted {
  return new Map(points.map((point) => [point, disk.stat(point)]));
}

/** Joins ESP and XBOOTLDR partition to one tree below the mount point of the ESP. */
function joined(
  root: string,
  xbootldr: string | undefined,
  disk: WritableDisk,
): Pick<Target, 'root' | 'xbootldr' | 'tree' | 'disk' | 'locate'> {
  if (xbootldr === undefined) {
    return { root, xbootldr, tree: disk, disk, locate: (path) => `${root}/${path}` };
  }
  const at = { esp: root, xbootldr };
  const places = (path: string) => {
    if (path !== root && !path.startsWith(`${root}/`)) return [path];
    const inner = espPath(path.slice(root.length + 1));
    return volumesOf(inner).map((volume) => (inner ? `${at[volume]}/${inner}` : at[volume]));
  };
  const locate = (path: EspPath) => places(`${root}/${path}`)[0] ?? `${root}/${path}`;
  return { root, xbootldr, tree: joinedDisk(disk, places), disk, locate };
}

/** Returns an ESP whose entries moved. They are removed only if the loader finds the new ones. */
function emptied(esp: string, xbootldr: string, plain: boolean, context: Context): OtherVolume {
  if (plain || isRead(esp, xbootldr, context)) return { root: esp };
  return {
    root: esp,
    stays: `entries of ours stay on ${esp}: nobody can tell here whether systemd-boot reads ${xbootldr}`,
  };
}

/** Refuses two mount points of one file system, and one below the other. */
function requireApart(roots: readonly [string, string], plain: boolean, disk: Disk): void {
  const [one, other] = roots.map((root) => disk.stat(root));
  if (one?.device === other?.device && (!plain || one?.inode === other?.inode)) {
    throw mismatch(
      `${roots.join(' and ')} are the same file system`,
      'mount each partition at a place of its own, and name the ESP with --esp',
    );
  }
  const [esp, xbootldr] = roots;
  if (`${esp}/`.startsWith(`${xbootldr}/`) || `${xbootldr}/`.startsWith(`${esp}/`)) {
    throw mismatch(
      `${esp} and ${xbootldr}: one lies in the other`,
      'mount them beside each other, as the ESP at /efi and XBOOTLDR at /boot',
    );
  }
  for (const root of roots) requireWhole(root, disk);
}

/** FAT ignores case, so a mount at /boot/efi hides the images in EFI of a partition at /boot. */
function requireWhole(root: string, disk: Disk): void {
  const device = disk.stat(root)?.device;
  const found = ['EFI', 'loader']
    .map((name) => `${root}/${name}`)
    .find((path) => (disk.stat(path)?.device ?? device) !== device);
  if (found === undefined) return;
  throw mismatch(`${found}: another file system is mounted there`, 'unmount it');
}

/** Finds the former XBOOTLDR partition. A missing one is no error: the machine boots without it. */
function findFormer(
  path: string,
  others: readonly string[],
  { 'allow-directory': plain }: Settings,
  disk: Disk,
  access: Access,
): string | EspError {
  let former: string;
  try {
    former = requireEsp(disk, path, plain, access, 'former');
  } catch (error) {
    return expected(error);
  }
  for (const other of others) requireApart([other, former], plain, disk);
  return former;
}

function mismatch(message: string, hint: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}
