/** systemd-sysupdate 257, in a system of its own. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';
import { run } from './run.ts';

const folder: PackageFolder = {
  name: 'sysupdate',
  suite: 'trixie',
  packages: [
    ...['systemd-container', 'systemd', 'libsystemd-shared', 'libsystemd0', 'libc6', 'libgcc-s1'],
    ...['libacl1', 'libaudit1', 'libblkid1', 'libbz2-1.0', 'libcap2', 'libcap-ng0', 'libcrypt1'],
    ...['libfdisk1', 'liblzma5', 'libmount1', 'libpam0g', 'libpcre2-8-0', 'libseccomp2'],
    ...['libselinux1', 'libssl3t64', 'libuuid1', 'libzstd1', 'zlib1g'],
  ],
  finish: settle,
};

/** Says whether it is in the cache; never touches the network. */
export function hasSysupdate(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureSysupdate(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

/** Does what the installation of these packages would do, and makes room for what is mounted. */
function settle(root: string): void {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  for (const name of ['dev', 'proc', 'run', 'tmp', 'var/tmp', 'work']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), 'ID=appliance\nIMAGE_VERSION=1\n');
  writeFileSync(join(root, 'etc/machine-id'), `${'1'.repeat(32)}\n`);
}

const script = `set -e
root=$1 work=$2; shift 2
mount --bind "$root" "$root"
cd "$root"
mount -t tmpfs run run
mount --rbind /dev dev
mount -t proc proc proc
mount --bind "$work" work
export SYSTEMD_ESP_PATH=/work/esp SYSTEMD_RELAX_ESP_CHECKS=1
exec chroot . /usr/lib/systemd/systemd-sysupdate --definitions=/work/sysupdate.d --verify=no "$@"
`;

/**
 * Runs it on the definitions in `sysupdate.d` of a folder, which it sees as `/work`. Returns what it
 * prints. @throws {Error} when it fails
 */
export function sysupdate(work: string, ...args: readonly string[]): string {
  const alone = ['--user', '--map-root-user', '--mount', '--pid', '--fork'];
  return run('unshare', [...alone, 'sh', '-c', script, 'sh', packageRoot(folder), work, ...args]);
}
