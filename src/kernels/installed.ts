/** Finds the kernels that packages have installed, with their initrds, in the places that distributions use. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { RELEASE } from '../generation/modules.ts';
import { compareVersions } from '../version.ts';

/** A kernel as its package left it. All paths are absolute. */
export interface InstalledFiles {
  readonly release: string;
  readonly image: string;
  /** In their order; none when its initrd was not found. */
  readonly initrds: readonly string[];
  /** The directory of its modules, whether or not it is there. */
  readonly modules: string;
}

const MODULES = ['/usr/lib/modules', '/lib/modules'];
/** In bytes. `pkgbase` holds one word. */
const LIMIT = 4096;

/** Returns every installed kernel, the newest first. */
export function findInstalled(disk: Disk): readonly InstalledFiles[] {
  const named = MODULES.flatMap((directory) => disk.list(directory) ?? []).map(({ name }) => name);
  const inBoot = (disk.list('/boot') ?? []).flatMap(({ name }) =>
    name.startsWith('vmlinuz-') ? name.slice('vmlinuz-'.length) : [],
  );
  return [...new Set([...named, ...inBoot])]
    .filter((release) => RELEASE.test(release) && imageOf(release, disk) !== undefined)
    .filter((release) => !isLeftBehind(release, disk))
    .sort((a, b) => compareVersions(b, a))
    .map((release) => findKernel(release, disk));
}

/**
 * Whether Debian removed a kernel. From Debian 14 on it is in a package of its own, which stays until
 * nothing needs it; what goes is the one whose hooks make the initrd and put the kernel into `/boot`.
 */
function isLeftBehind(release: string, disk: Disk): boolean {
  const isInBoot =
    isFile(`/boot/vmlinuz-${release}`, disk) || findInitrds(release, disk).length > 0;
  return !isInBoot && disk.stat('/usr/bin/dpkg') !== undefined;
}

/** What a person or a hook says of a kernel; the rest is looked for. */
export interface NamedFiles {
  readonly image?: string | undefined;
  readonly initrds?: readonly string[];
}

/**
 * Returns the files of one kernel.
 * @throws {CONFIG_INVALID} when the release can be none
 * @throws {FILE_MISSING} when there is no such kernel
 */
export function findKernel(
  release: string,
  disk: Disk,
  { image: named, initrds = [] }: NamedFiles = {},
): InstalledFiles {
  if (!RELEASE.test(release)) {
    throw new EspError(
      'CONFIG_INVALID',
      `${JSON.stringify(release)}: expected the release of a kernel`,
      {
        hint: 'it is what `uname -r` says, as 6.12.9-amd64',
      },
    );
  }
  if (named !== undefined && !isFile(named, disk)) {
    throw new EspError('FILE_MISSING', `${named}: there is no such kernel`);
  }
  const image = named ?? imageOf(release, disk);
  if (image === undefined) {
    throw new EspError('FILE_MISSING', `${release}: there is no such kernel`, {
      hint: `it is looked for at ${imagePlaces(release).join(', ')}; name it behind the release`,
    });
  }
  const found = initrds.length > 0 ? initrds : findInitrds(release, disk);
  return { release, image, initrds: found, modules: modulesOf(release, disk) };
}

/** Where the modules of a release are, or would be. */
function modulesOf(release: string, disk: Disk): string {
  const places = MODULES.map((directory) => `${directory}/${release}`);
  return places.find((path) => disk.stat(path)?.kind === 'directory') ?? `${MODULES[0]}/${release}`;
}

function imagePlaces(release: string): readonly string[] {
  return [
    ...MODULES.map((directory) => `${directory}/${release}/vmlinuz`),
    `/boot/vmlinuz-${release}`,
  ];
}

function imageOf(release: string, disk: Disk): string | undefined {
  return imagePlaces(release).find((path) => isFile(path, disk));
}

/** Returns where the initrd of a release is looked for. */
export function initrdPlaces(release: string, disk: Disk): readonly string[] {
  const base = pkgbase(release, disk);
  return [
    ...MODULES.map((directory) => `${directory}/${release}/initrd`),
    ...[`initrd.img-${release}`, `initramfs-${release}.img`, `initrd-${release}`].map(
      (name) => `/boot/${name}`,
    ),
    ...(base === undefined ? [] : [`/boot/initramfs-${base}.img`]),
  ];
}

/** Arch's packages of microcode put theirs here. The kernel takes it from the first archive alone. */
const MICROCODE = ['/boot/amd-ucode.img', '/boot/intel-ucode.img'];

function findInitrds(release: string, disk: Disk): readonly string[] {
  const initrd = initrdPlaces(release, disk).find((path) => isFile(path, disk));
  if (initrd === undefined) return [];
  return [...MICROCODE.filter((path) => isFile(path, disk)), initrd];
}

/** The name of Arch's package, by which mkinitcpio names what it makes. */
function pkgbase(release: string, disk: Disk): string | undefined {
  const path = `${MODULES[0]}/${release}/pkgbase`;
  if (!isFile(path, disk)) return undefined;
  const name = new TextDecoder().decode(disk.read(path, LIMIT)).trim();
  return /^[\w@.+-]+$/.test(name) ? name : undefined;
}

function isFile(path: string, disk: Disk): boolean {
  const stat = disk.stat(path);
  return stat?.kind === 'file' && stat.size > 0;
}
