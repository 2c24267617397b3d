/** Debian's dracut and systemd-repart with all that they run and pack, newer than what the machine has. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';

/** Before version 254, systemd-veritysetup knew no hash area behind the data. */
const folder: PackageFolder = {
  name: 'tool-root',
  suite: 'trixie',
  packages: [
    ...['dracut-core', 'dracut-install', 'systemd-repart'],
    ...['systemd', 'systemd-cryptsetup', 'libsystemd-shared', 'libsystemd0', 'udev', 'libudev1'],
    ...['bash', 'coreutils', 'cpio', 'dmsetup', 'findutils', 'grep', 'kmod', 'libc-bin', 'login'],
    ...['mawk', 'mount', 'sed', 'util-linux'],
    ...['libacl1', 'libapparmor1', 'libattr1', 'libaudit1', 'libblkid1', 'libc6', 'libcap-ng0'],
    ...['libcap2', 'libcrypt1', 'libcryptsetup12', 'libdevmapper1.02.1', 'libfdisk1', 'libgcc-s1'],
    ...['libgmp10', 'libjson-c5', 'libkmod2', 'liblzma5', 'libmount1', 'libpam0g'],
    ...['libpcre2-8-0', 'libseccomp2', 'libselinux1', 'libsmartcols1', 'libssl3t64', 'libtinfo6'],
    ...['libuuid1', 'libzstd1', 'zlib1g'],
  ],
  finish: settle,
};

/** Where it lies, or will lie. */
export const toolRoot = packageRoot(folder);

export const toolPackages = folder.packages;

/** Says whether it is in the cache; never touches the network. */
export function hasToolRoot(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureToolRoot(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

/** Those that udev's rules name. */
const groups = ['root:x:0:', 'tty:x:5:', 'disk:x:6:', 'kmem:x:15:', 'dialout:x:20:', 'cdrom:x:24:'];

/** Does what the installation of these packages would do. */
function settle(root: string): void {
  mkdirSync(join(root, 'usr/lib/modules'));
  symlinkSync('bash', join(root, 'usr/bin/sh'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), `${groups.join('\n')}\n`);
}
