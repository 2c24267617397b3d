/** systemd-pcrlock and systemd-measure 257, with the libraries that they were made for. */
import { join } from 'node:path';
import {
  ensurePackageFolder,
  findPackageFolder,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';
import { run } from './run.ts';

const packages: PackageFolder = {
  name: 'measuring',
  suite: 'trixie',
  packages: [
    ...['systemd', 'libsystemd-shared', 'libsystemd0', 'libc6', 'libgcc-s1', 'libacl1'],
    ...['libaudit1', 'libblkid1', 'libcap2', 'libcap-ng0', 'libcrypt1', 'libmount1', 'libpam0g'],
    ...['libpcre2-8-0', 'libseccomp2', 'libselinux1', 'libssl3t64', 'libuuid1', 'libzstd1'],
    'zlib1g',
  ],
};
const libraries = join(packageRoot(packages), 'usr/lib/x86_64-linux-gnu');

/** Says whether they are in the cache; never touches the network. */
export function hasMeasuring(): boolean {
  return findPackageFolder(packages) !== undefined;
}

/**
 * Fetches them, unless the cache has them.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureMeasuring(say?: (what: string) => void): void {
  ensurePackageFolder(packages, say);
}

/** Returns the words that start one of the two; its arguments come behind them. */
export function measuringCommand(
  program: 'systemd-pcrlock' | 'systemd-measure',
): readonly [string, ...string[]] {
  // These libraries are not for the programs of this machine: only the loader is told of them.
  const path = join(packageRoot(packages), 'usr/lib/systemd', program);
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  return [loader, '--library-path', `${libraries}:${libraries}/systemd`, path];
}

/** Runs one of the two, and returns what it printed. @throws {Error} when it fails */
export function measuring(
  program: 'systemd-pcrlock' | 'systemd-measure',
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  const [loader, ...before] = measuringCommand(program);
  return run(loader, [...before, ...args], { env });
}
