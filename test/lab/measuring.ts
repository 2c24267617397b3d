/** systemd-pcrlock and systemd-measure 257, with the libraries that they were made for. */
import {
  ensurePackageFolder,
  findPackageFolder,
  ownWords,
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
  return ownWords(packageRoot(packages), `usr/lib/systemd/${program}`);
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
