/** kernel-install of the systemd versions that the lab knows, run where the machine's own shell and Node are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  ownWords,
  type PackageFolder,
} from './package-folder.ts';
import { findSystemdRoot } from './systemd-root.ts';

/** What sid's kernel-install is linked with. */
const folder: PackageFolder = {
  name: 'kernel-install-root',
  suite: 'sid',
  packages: ['systemd', 'libsystemd-shared', 'libc6'],
};

const PROGRAM = 'usr/bin/kernel-install';

/** Returns the words that run a version of kernel-install, or undefined when it is not in the cache. */
export function kernelInstall(version: '252' | '262'): readonly string[] | undefined {
  if (version === '252') return inRoot(findSystemdRoot());
  return inRoot(findPackageFolder(folder));
}

/** Version 252 is a shell script. A newer one is a program, which brings its own libraries. */
function inRoot(root: string | undefined): readonly string[] | undefined {
  if (root === undefined) return undefined;
  const program = join(root, PROGRAM);
  if (readFileSync(program).subarray(0, 2).toString() === '#!') return ['/bin/sh', program];
  return ownWords(root, PROGRAM);
}

/**
 * Fetches sid's, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureKernelInstall(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}
