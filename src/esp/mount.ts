/** Reads the kernel's mount table: whether a directory is a mounted ESP, and what a mount shows. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** One line of the mount table. */
export interface Mount {
  readonly id: string;
  /** The `id` of the mount that it lies on. */
  readonly parent: string;
  readonly point: string;
  readonly type: string;
  /** What is mounted: for a file system on a disk, the path of its device. */
  readonly source: string;
  readonly readOnly: boolean;
  /** Device numbers, which identify the file system. */
  readonly device: string;
  /** The directory of the file system that is mounted: not `/` for a bind mount of a part. */
  readonly root: string;
}

const MOUNT_TABLE = '/proc/self/mountinfo';
const TABLE_LIMIT = 16 * 1024 * 1024;

/** The usual mount points of an ESP, in systemd's order of preference. */
export const ESP_PLACES = ['/efi', '/boot', '/boot/efi'];

/** Parses a mount table (proc(5) §mountinfo); later lines cover earlier ones at the same point. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const divider = fields.indexOf('-', 6);
    const [id = '', parent = '', device, root, point, options] = fields.slice(0, 6);
    const [type, source = '', superOptions] = fields.slice(divider + 1);
    if (divider < 0 || !device || !root || !point || !options || !type) return [];
    const readOnly = [options, superOptions ?? ''].some((list) => list.split(',').includes('ro'));
    const [at, from, part] = [point, source, root].map(decodeOctal);
    const places = { point: at ?? '', source: from ?? '', root: part ?? '' };
    return [{ id, parent, ...places, type, readOnly, device }];
  });
}

/** Decodes the octal escapes of blanks and backslashes. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Returns what is mounted at a path, and can be seen there. */
export function mountAt(disk: Disk, path: string): Mount | undefined {
  // Reading the directory triggers an automount before the table is read.
  disk.list(path);
  const mounts = readMounts(disk);
  return mounts.findLast((mount) => mount.point === path && !isHidden(mount, mounts));
}

/**
 * Tells whether something was mounted over a directory above a mount point later: the table still has the
 * mount, and the path leads into what hides it.
 */
function isHidden({ id, parent, point }: Mount, mounts: readonly Mount[]): boolean {
  const below = mounts.find((mount) => mount.id === parent);
  if (below === undefined) return false;
  const isAbove = (other: Mount) => other.id !== id && point.startsWith(`${bare(other.point)}/`);
  return mounts.some(
    (other) =>
      isAbove(other) &&
      other.id !== parent &&
      (other.point.length > below.point.length ||
        (other.point === below.point && other.parent === parent)),
  );
}

/** Reads the mount table. @throws {FILE_MISSING} where there is none */
export function readMounts(disk: Pick<Disk, 'read'>): Mount[] {
  return parseMounts(new TextDecoder().decode(disk.read(MOUNT_TABLE, TABLE_LIMIT)));
}

/**
 * Returns the path below another mount that shows the directory bound to `path`, if there is one.
 */
export function findOrigin(disk: Pick<Disk, 'read' | 'stat'>, path: string): string | undefined {
  const mounts = readMounts(disk);
  const bound = mounts.findLast(({ point }) => point === path);
  const stat = disk.stat(path);
  if (!bound || !stat) return undefined;
  const showsIt = ({ device, root, point }: Mount) =>
    device === bound.device && point !== path && `${bound.root}/`.startsWith(`${bare(root)}/`);
  return mounts
    .filter(showsIt)
    .map(({ root, point }) => bare(point) + bound.root.slice(bare(root).length))
    .find((candidate) => {
      // Another mount may cover it.
      const seen = disk.stat(candidate);
      return seen?.device === stat.device && seen.inode === stat.inode;
    });
}

/** Returns a path to which more can be appended. */
function bare(path: string): string {
  return path === '/' ? '' : path;
}

/** Returns the first of the usual places at which a FAT file system is mounted. */
export function findEsp(disk: Disk): string | undefined {
  return ESP_PLACES.find((path) => disk.stat(path) && mountAt(disk, path)?.type === 'vfat');
}

/** What the caller will do with an ESP. A read-only one can still be read. */
export type Access = 'read' | 'write';

/** The names of the partitions in messages, and the option that sets each mount point. */
const CALLED = {
  esp: { name: 'the ESP', option: '--esp' },
  xbootldr: { name: 'the XBOOTLDR partition', option: '--xbootldr' },
  former: { name: 'the former XBOOTLDR partition', option: '--former-xbootldr' },
} as const;

/**
 * Makes sure that a directory is a mounted FAT file system, and returns its real path.
 * @param allowDirectory accepts any directory, as when an image is built
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY}
 */
export function requireEsp(
  disk: Disk,
  path: string,
  allowDirectory: boolean,
  access: Access = 'write',
  role: keyof typeof CALLED = 'esp',
): string {
  const { name, option } = CALLED[role];
  const real = disk.realPath(path);
  if (real === undefined || disk.stat(real)?.kind !== 'directory') {
    throw new EspError('ESP_NOT_MOUNTED', `${path}: no such directory`, {
      hint: `mount ${name}, or name where it is mounted with ${option}`,
    });
  }
  if (allowDirectory) return real;
  const mount = mountAt(disk, real);
  if (!mount) {
    throw new EspError('ESP_NOT_MOUNTED', `${path}: nothing is mounted there`, {
      hint: `mount ${name}, or use --allow-directory to fill a directory for an image`,
    });
  }
  if (mount.type !== 'vfat') {
    throw new EspError('ESP_NOT_FAT', `${path}: expected vfat, got ${mount.type}`, {
      hint: `firmware reads FAT only: name the mount point of ${name} with ${option}, or use --allow-directory to fill a directory for an image`,
    });
  }
  if (mount.root !== '/') {
    throw new EspError(
      'ESP_NOT_MOUNTED',
      `${path}: expected the whole file system, got its directory ${mount.root}`,
      {
        hint: `firmware starts from the top of the partition: mount ${name} itself and name that place with ${option}`,
      },
    );
  }
  if (mount.readOnly && access === 'write') {
    throw new EspError('ESP_READ_ONLY', `${path}: the file system is mounted read-only`, {
      hint: 'if the kernel remounted it after an error, run fsck.fat on it; then mount it for writing',
    });
  }
  return real;
}
