/** systemd-boot 254, which no suite but Debian's backports has: the last that keeps a counter in an ID. */
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';

const folder: PackageFolder = {
  name: 'older-systemd',
  suite: 'bookworm-backports',
  packages: ['systemd-boot-efi'],
};

/** The directory that holds `lib/systemd/boot/efi`, as `--systemd` wants one. */
export const olderSystemd = join(packageRoot(folder), 'usr');

/** Says whether it is in the cache; never touches the network. */
export function hasOlderSystemd(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureOlderSystemd(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}
