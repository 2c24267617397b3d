/** Debian trixie's programs that make file systems, which run beside the machine's own older ones. */
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
  writeStarters,
} from './package-folder.ts';

const folder: PackageFolder = {
  name: 'newer-tools',
  suite: 'trixie',
  packages: [
    ...['e2fsprogs', 'erofs-utils'],
    ...[
      'libblkid1',
      'libc6',
      'libcap2',
      'libcom-err2',
      'libdeflate0',
      'libeconf0',
      'libext2fs2t64',
    ],
    ...['libgcc-s1', 'liblz4-1', 'liblzma5', 'libpcre2-8-0', 'libselinux1', 'libss2', 'libuuid1'],
    ...['libxxhash0', 'libzstd1', 'zlib1g'],
  ],
  finish: (root) => writeStarters(root, 'bin', PROGRAMS),
};

const PROGRAMS: Readonly<Record<string, string>> = {
  'mkfs.ext4': 'usr/sbin/mke2fs',
  debugfs: 'usr/sbin/debugfs',
  'mkfs.erofs': 'usr/bin/mkfs.erofs',
  'fsck.erofs': 'usr/bin/fsck.erofs',
};

/** The folder with the programs, for the front of PATH. */
export const newerTools = join(packageRoot(folder), 'bin');

/** Says whether they are in the cache; never touches the network. */
export function hasNewerTools(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches them, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureNewerTools(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}
