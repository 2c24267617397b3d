/** Debian packages that are unpacked and never installed, each set of them in a folder of the cache. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findMirror, hasDebianTools, openSuite } from './debian.ts';
import { cacheFolder } from './parts.ts';

/** A set of packages. */
export interface PackageFolder {
  /** Of the folder in the cache. */
  readonly name: string;
  readonly suite: 'bookworm' | 'trixie' | 'sid';
  readonly packages: readonly string[];
  /** Does to the unpacked files what installing them would do. */
  readonly finish?: (root: string) => void;
}

/** Returns where the packages lie, or will lie when they have been fetched. */
export function packageRoot({ name }: PackageFolder): string {
  return join(cacheFolder, name);
}

/** Returns the folder of the unpacked packages, if it is in the cache; never touches the network. */
export function findPackageFolder(folder: PackageFolder): string | undefined {
  const root = packageRoot(folder);
  return existsSync(root) ? root : undefined;
}

/**
 * Returns the folder of the unpacked packages, fetching them from the machine's own Debian mirror when
 * the cache lacks them.
 * @param say told, in a few words, what is being fetched
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensurePackageFolder(
  folder: PackageFolder,
  say: (what: string) => void = () => {},
): string {
  const root = packageRoot(folder);
  if (existsSync(root)) return root;
  const { name, suite, packages, finish } = folder;
  if (!hasDebianTools()) throw new Error(`${name} comes from Debian: this needs apt-get on amd64`);
  mkdirSync(cacheFolder, { recursive: true });
  const work = mkdtempSync(join(cacheFolder, `.fetch-${name}-`));
  const unpacked = join(work, 'root');
  try {
    say(`${suite}: ${name}`);
    openSuite(suite, join(work, 'apt'), findMirror()).unpack(packages, unpacked);
    finish?.(unpacked);
    // The folder appears when all of it is there, so its presence is its completeness.
    if (!existsSync(root)) renameSync(unpacked, root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}
