/** Which partitions the loader reads besides the ESP, and the one tree that ESP and XBOOTLDR are together. */

import type { Context, OtherVolume } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { joinedDisk } from '../disk/joined-disk.ts';
import { EspError, explain } from '../error.ts';
import { espPath, volumesOf } from '../esp/layout.ts';
import { type Access, requireEsp } from '../esp/mount.ts';
import type { Settings } from '../settings/settings.ts';
import type { Mounted, Site } from '../transaction/apply.ts';
import { espRoots } from './esp-roots.ts';
import { isRead } from './xbootldr.ts';

/**
 * Returns a context whose disk shows ESP and XBOOTLDR as one tree below the mount point of the ESP.
 * Without such settings it is the context as it was.
 * @throws {CONFIG_INVALID} when these partitions do not go together
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} for ESP and XBOOTLDR partition
 */
export function withVolumes(
  settings: Settings,
  context: Context,
  access: Access = 'write',
): Context {
  const { xbootldr: named, 'former-xbootldr': formerly, 'allow-directory': plain } = settings;
  if ((named ?? formerly) === undefined) return context;
  const [esp, mirror] = espRoots(settings, context, access);
  if (esp === undefined || mirror !== undefined) {
    throw mismatch('an XBOOTLDR partition goes with one ESP', 'name one --esp, or do without');
  }
  const { disk } = context;
  const xbootldr = named && requireEsp(disk, named, plain, access, 'xbootldr');
  if (xbootldr !== undefined) requireApart([esp, xbootldr], plain, disk);
  const former = formerly && findFormer(formerly, [esp, xbootldr ?? esp], settings, disk, access);
  const at = { esp, xbootldr: xbootldr ?? esp };
  const places = (path: string) => {
    if (path !== esp && !path.startsWith(`${esp}/`)) return [path];
    const inner = espPath(path.slice(esp.length + 1));
    return volumesOf(inner).map((volume) => (inner ? `${at[volume]}/${inner}` : at[volume]));
  };
  const first = (path: string) => places(path)[0] ?? path;
  return {
    ...context,
    disk: xbootldr === undefined ? disk : joinedDisk(disk, places),
    volumes: {
      xbootldr,
      apart: disk,
      locate: (path) => first(`${esp}/${path}`),
      others: [
        ...(xbootldr === undefined ? [] : [emptied(esp, xbootldr, plain, context)]),
        ...(typeof former === 'string' ? [{ root: former }] : []),
      ],
      warnings: former instanceof EspError ? [`it is not cleaned: ${explain(former)}`] : [],
    },
  };
}

/** Returns the mount points of all partitions that are read for an ESP, as they are now. */
export function mountedFor(root: string, { disk, volumes }: Context): Mounted {
  const { apart = disk, xbootldr = root, others = [] } = volumes ?? {};
  const points = [root, xbootldr, ...others.map((other) => other.root)];
  return new Map(points.map((point) => [point, apart.stat(point)]));
}

/** Returns where a plan for an ESP is carried out. */
export function placeOf(
  root: string,
  { disk, volumes }: Context,
): Pick<Site, 'disk' | 'root' | 'locate'> {
  return { disk: volumes?.apart ?? disk, root, locate: volumes?.locate };
}

/** The ESP once the entries are elsewhere: to remove them, it must be known that the loader finds those. */
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

/** FAT takes `efi` for `EFI`: what is mounted at /boot/efi hides the images of a partition at /boot. */
function requireWhole(root: string, disk: Disk): void {
  const device = disk.stat(root)?.device;
  const found = ['EFI', 'loader']
    .map((name) => `${root}/${name}`)
    .find((path) => (disk.stat(path)?.device ?? device) !== device);
  if (found === undefined) return;
  throw mismatch(`${found}: another file system is mounted there`, 'unmount it');
}

/** Finds the partition that was XBOOTLDR. One that is not there keeps nobody from booting. */
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
    if (error instanceof EspError) return error;
    throw error;
  }
  for (const other of others) requireApart([other, former], plain, disk);
  return former;
}

function mismatch(message: string, hint: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}
