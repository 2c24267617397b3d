/** Debian 12 with all that its kernels call when they are installed, and the package of one. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMirror, openSuite } from './debian.ts';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';

const KERNEL = 'linux-image-cloud-amd64';
const RELEASE = /^linux-image-[0-9].*-cloud-amd64$/;

/** dpkg, initramfs-tools, what these run, and what Node is linked with. */
const folder: PackageFolder = {
  name: 'debian-root',
  suite: 'bookworm',
  packages: [
    ...[
      'bash',
      'coreutils',
      'dash',
      'debconf',
      'debianutils',
      'diffutils',
      'dpkg',
      'findutils',
      'grep',
    ],
    ...['gzip', 'hostname', 'mawk', 'perl-base', 'sed', 'tar', 'util-linux', 'mount'],
    ...['initramfs-tools', 'initramfs-tools-core', 'klibc-utils', 'libklibc', 'linux-base'],
    ...['cpio', 'kmod'],
    ...[
      'libacl1',
      'libattr1',
      'libblkid1',
      'libbz2-1.0',
      'libc6',
      'libc-bin',
      'libcap2',
      'libcrypt1',
    ],
    ...['libgcc-s1', 'libgmp10', 'libkmod2', 'liblzma5', 'libmd0'],
    ...['libmount1', 'libpcre2-8-0', 'libreadline8', 'libselinux1', 'libsmartcols1', 'libssl3'],
    ...['libstdc++6', 'libtinfo6', 'libudev1', 'libuuid1', 'libzstd1', 'zlib1g'],
  ],
  finish: settle,
};

/** Where it lies, or will lie. The package of the kernel is at its root. */
export const debianRoot = packageRoot(folder);

/** The name of the package of the kernel in the root, or undefined when the root is not in the cache. */
export function kernelPackage(): string | undefined {
  const root = findPackageFolder(folder);
  return root && readdirSync(root).find((name) => name.endsWith('.deb'));
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureDebianRoot(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

/** Does what the installation of these packages would do, and fetches the kernel as a package. */
function settle(root: string): void {
  const work = mkdtempSync(join(tmpdir(), 'espalier-kernel-'));
  try {
    const suite = openSuite('bookworm', work, findMirror());
    const [deb = ''] = suite.download(suite.dependencies(KERNEL, RELEASE));
    copyFileSync(deb, join(root, 'kernel.deb'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  for (const directory of [
    'dev',
    'proc',
    'sys',
    'tmp',
    'boot',
    'run',
    'opt',
    'var/lib/dpkg/info',
    'var/log',
    'var/tmp',
  ])
    mkdirSync(join(root, directory), { recursive: true });
  const texts = {
    'var/lib/dpkg/status': '',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/fstab': '',
    // A few modules and no search for the disk that the machine has: seconds and not minutes.
    'etc/initramfs-tools/conf.d/lab': 'MODULES=list\nBUSYBOX=n\nCOMPRESS=gzip\nRESUME=none\n',
  };
  for (const [path, text] of Object.entries(texts)) writeFileSync(join(root, path), text);
}
