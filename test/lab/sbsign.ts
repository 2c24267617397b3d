/** systemd-sbsign of a systemd that signs offline, with the libraries that it was made for. */
import {
  ensurePackageFolder,
  findPackageFolder,
  ownWords,
  type PackageFolder,
  packageRoot,
} from './package-folder.ts';
import { run } from './run.ts';

/** Before version 258 it did not know how to prepare what somebody else signs. */
const folder: PackageFolder = {
  name: 'sbsign-root',
  suite: 'sid',
  packages: [
    ...['systemd-repart', 'libsystemd-shared'],
    ...['libc6', 'libssl3t64', 'libzstd1', 'zlib1g'],
  ],
};

/** Says whether it is in the cache; never touches the network. */
export function hasSbsign(): boolean {
  return findPackageFolder(folder) !== undefined;
}

/**
 * Fetches it, unless the cache has it.
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureSbsign(say?: (what: string) => void): void {
  ensurePackageFolder(folder, say);
}

/** Runs `systemd-sbsign sign` at a time, in seconds since the epoch. @throws {Error} when it fails */
export function sbsign(args: readonly string[], time = 0): void {
  const [loader, ...words] = ownWords(packageRoot(folder), 'usr/lib/systemd/systemd-sbsign');
  const env = { SOURCE_DATE_EPOCH: `${time}` };
  run(loader, [...words, 'sign', ...args], { env });
}
