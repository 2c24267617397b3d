/** Which Debian packages the lab's outside programs come from, which are there, and how to get the rest. */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, environment } from './run.ts';

/** What shows a package to be installed: a program, a file, `python:<module>`, or `engine:<engine of OpenSSL>`. */
const witnesses = {
  attr: 'getfattr',
  binutils: 'objcopy',
  'btrfs-progs': 'mkfs.btrfs',
  cpio: 'cpio',
  'cryptsetup-bin': 'veritysetup',
  dosfstools: 'mkfs.vfat',
  e2fsprogs: 'mkfs.ext4',
  efibootmgr: 'efibootmgr',
  efitools: 'sign-efi-sig-list',
  'erofs-utils': 'mkfs.erofs',
  faketime: 'faketime',
  fdisk: 'sfdisk',
  gdisk: 'sgdisk',
  'grub-common': 'grub-mkimage',
  'grub-pc-bin': '/usr/lib/grub/i386-pc/boot.img',
  jq: 'jq',
  'libengine-pkcs11-openssl': 'engine:pkcs11',
  lz4: 'lz4',
  mtools: 'mcopy',
  'nix-bin': 'nix-store',
  openssl: 'openssl',
  osslsigncode: 'osslsigncode',
  parted: 'parted',
  'python3-pefile': 'python:pefile',
  'qemu-system-x86': 'qemu-system-x86_64',
  'qemu-utils': 'qemu-img',
  sbsigntool: 'sbsign',
  softhsm2: 'softhsm2-util',
  'squashfs-tools': 'sqfstar',
  strace: 'strace',
  swtpm: 'swtpm',
  xxd: 'xxd',
  'xz-utils': 'xz',
  zstd: 'zstd',
} as const;

/** Debian's own Python, which is the one that sees Debian's modules; run ukify with it. */
export const systemPython = '/usr/bin/python3';

/** A Debian package that the lab may need installed. */
export type Tool = keyof typeof witnesses;

/** Every package the lab knows. */
const allTools = Object.keys(witnesses) as readonly Tool[];

/** Returns the packages of `wanted` that are not installed, without touching the network. */
export function missingTools(wanted: readonly Tool[] = allTools): readonly Tool[] {
  return wanted.filter((tool) => !isPresent(witnesses[tool]));
}

/** Returns the one command that installs the packages, also on a machine that has no package lists yet. */
export function installCommand(packages: readonly string[]): string {
  const install = `sudo apt-get install --no-install-recommends ${packages.join(' ')}`;
  return hasPackageLists() ? install : `sudo apt-get update && ${install}`;
}

function hasPackageLists(folder = '/var/lib/apt/lists'): boolean {
  return existsSync(folder) && readdirSync(folder).some((name) => /_Packages(\.\w+)?$/.test(name));
}

/** Says whether packages can be installed at all. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Installs what is missing of `wanted`, if we are root, and returns what is missing afterwards.
 * Package lists that are absent or stale are refreshed once.
 */
export function ensureTools(wanted: readonly Tool[] = allTools): readonly Tool[] {
  const missing = missingTools(wanted);
  if (missing.length === 0 || !isRoot()) return missing;
  if (!aptInstall(missing)) {
    attempt('apt-get', ['-qq', 'update']);
    aptInstall(missing);
  }
  return missingTools(wanted);
}

function aptInstall(packages: readonly string[]): boolean {
  const args = ['install', '-qq', '-y', '--no-install-recommends', ...packages];
  return attempt('apt-get', args).status === 0;
}

function isPresent(witness: string): boolean {
  if (witness.startsWith('/')) return existsSync(witness);
  if (witness.startsWith('python:')) {
    return attempt(systemPython, ['-c', `import ${witness.slice('python:'.length)}`]).status === 0;
  }
  if (witness.startsWith('engine:')) {
    return attempt('openssl', ['engine', witness.slice('engine:'.length)]).status === 0;
  }
  const path = environment()['PATH'] ?? '';
  return path.split(':').some((directory) => isExecutable(join(directory, witness)));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours to run: both mean that the tool is not there
  }
}
