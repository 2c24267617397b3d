/** bootctl and systemd-bless-boot 257, with the libraries that they were made for. */
import { type Member, membersUnder } from './cpio.ts';
import {
  ensurePackageFolder,
  findPackageFolder,
  ownWords,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';

const packages: PackageFolder = {
  name: 'boot-tools',
  suite: 'trixie',
  packages: [
    ...['systemd-boot-tools', 'systemd-boot', 'libsystemd-shared', 'libc6', 'libgcc-s1', 'libacl1'],
    ...['libaudit1', 'libblkid1', 'libcap2', 'libcap-ng0', 'libcrypt1', 'libmount1', 'libpam0g'],
    ...['libpcre2-8-0', 'libseccomp2', 'libselinux1', 'libssl3t64', 'libuuid1', 'libzstd1'],
    'zlib1g',
  ],
};
const root = packageRoot(packages);

/** Says whether they are in the cache; never touches the network. */
export function hasBootTools(): boolean {
  return findPackageFolder(packages) !== undefined;
}

/**
 * Fetches them, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureBootTools(say?: (what: string) => void): void {
  ensurePackageFolder(packages, say);
}

const PROGRAMS = {
  bootctl: 'usr/bin/bootctl',
  'systemd-bless-boot': 'usr/lib/systemd/systemd-bless-boot',
} as const;

/** Returns the words of a command that runs one of the two. */
export function bootTool(program: keyof typeof PROGRAMS): readonly string[] {
  return ownWords(root, PROGRAMS[program]);
}

/** Returns them as members of an initrd, in which they lie where they lie here. */
export function bootToolMembers(): readonly Member[] {
  return membersUnder(root).filter(({ path }) => !path.includes('/usr/share/'));
}
