/** What is never signed: bytes from an ESP, which anybody who had the disk may have put there. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type Mount, readMounts } from './mount.ts';

/**
 * Makes sure that what is to be signed lies neither on a target nor on any other FAT, links resolved.
 * @param targets the ESPs and the other partitions that are written to
 * @throws {SOURCE_UNTRUSTED}
 */
export function requireTrusted(path: string, targets: readonly string[], disk: Disk): void {
  trustCheck(targets, disk)(path);
}

/**
 * Returns {@link requireTrusted} for several files, which reads the mount table once. Each file has to have
 * been looked at before: the look at one on an automount changes the table.
 */
export function trustCheck(targets: readonly string[], disk: Disk): (path: string) => void {
  const roots = targets.map((root) => disk.realPath(root) ?? root);
  let mounts: readonly Mount[] | undefined;
  return (path) => {
    const real = disk.realPath(path) ?? path;
    mounts ??= mountsOf(disk);
    const target = roots.find((root) => `${real}/`.startsWith(`${root}/`));
    const place = target ?? fatMountOf(real, mounts);
    if (place === undefined) return;
    const where = real === path ? path : `${path}: it leads to ${real}, which`;
    throw new EspError(
      'SOURCE_UNTRUSTED',
      `${where} lies on ${place}, ${target === undefined ? 'which is FAT' : 'which this run writes to'}: nothing from there is signed`,
      {
        hint: 'copy it to a file system that nobody else writes to, after a look at what it is, and name it there',
      },
    );
  };
}

const FAT: readonly string[] = ['vfat', 'msdos', 'exfat'];

/** Returns where the FAT file system is mounted on which a real path lies; undefined also where nothing tells. */
function fatMountOf(real: string, mounts: readonly Mount[]): string | undefined {
  // Of two mounts at one point, the later covers the other.
  const mount = mounts
    .filter(({ point }) => point === '/' || `${real}/`.startsWith(`${point}/`))
    .reduce<Mount | undefined>(
      (deepest, each) => (each.point.length >= (deepest?.point.length ?? 0) ? each : deepest),
      undefined,
    );
  return mount && FAT.includes(mount.type) ? mount.point : undefined;
}

/** A machine without /proc has nobody who tells. */
function mountsOf(disk: Disk): readonly Mount[] {
  try {
    return readMounts(disk);
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}

/**
 * Makes sure that a private key lies on no FAT: whoever takes the disk out, or boots something else, reads
 * every file there.
 * @param isAllowed a person has said that it may
 * @throws {KEY_INSECURE}
 */
export function requireKeyElsewhere(path: string, isAllowed: boolean, disk: Disk): void {
  if (isAllowed) return;
  const real = realPlace(path, disk);
  const place = fatMountOf(real, mountsOf(disk));
  if (place === undefined) return;
  throw new EspError('KEY_INSECURE', `private key ${path}: it lies on ${place}, which is FAT`, {
    hint: 'keep it where only root can read it, on an encrypted disk if there is one, and make a new one',
  });
}

/** The real path of what may not be there yet: what is above it is. */
function realPlace(path: string, disk: Disk): string {
  const missing: string[] = [];
  for (let at = path; at !== '/' && at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    const real = disk.realPath(at);
    if (real !== undefined) return [real, ...missing].join('/');
    missing.unshift(at.slice(at.lastIndexOf('/') + 1));
  }
  return path;
}

/** The directories that settings write to. */
export function targetsOf(settings: {
  readonly esp?: readonly string[] | undefined;
  readonly xbootldr?: string | undefined;
  readonly 'former-xbootldr'?: string | undefined;
}): readonly string[] {
  const { esp = [], xbootldr, 'former-xbootldr': former } = settings;
  return [...esp, xbootldr, former].filter((path) => path !== undefined);
}
