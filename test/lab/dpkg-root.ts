/** A Debian system in which packages can be installed: dpkg itself, a shell, and what Node links to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackageFolder, findPackageFolder, type PackageFolder } from './package-folder.ts';

const folder: PackageFolder = {
  name: 'dpkg-root',
  suite: 'bookworm',
  packages: [
    ...['dpkg', 'dash', 'coreutils', 'diffutils', 'findutils', 'grep', 'gzip', 'sed', 'tar'],
    ...['libc6', 'libgcc-s1', 'libstdc++6', 'libacl1', 'libattr1', 'libbz2-1.0', 'libgmp10'],
    ...['liblzma5', 'libmd0', 'libpcre2-8-0', 'libselinux1', 'libzstd1', 'zlib1g'],
  ],
  finish(root) {
    for (const name of ['tmp', 'var/lib/dpkg/info', 'var/lib/dpkg/updates'])
      mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, 'var/lib/dpkg/status'), '');
  },
};

/** Returns its folder, if it is in the cache; never touches the network. */
export function findDpkgRoot(): string | undefined {
  return findPackageFolder(folder);
}

/** Fetches it, unless the cache has it. @throws {Error} when the mirror does not answer */
export function ensureDpkgRoot(say?: (what: string) => void): string {
  return ensurePackageFolder(folder, say);
}
