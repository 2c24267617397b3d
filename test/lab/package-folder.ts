/** Debian packages that are unpacked and never installed, each set of them in a folder of the cache. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMirror, hasDebianTools, openSuite, type Suite } from './debian.ts';
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
export function packageRoot({ name }: SuiteFolder): string {
  return join(cacheFolder, name);
}

/** Returns the folder of the unpacked packages, if it is in the cache; never touches the network. */
export function findPackageFolder(folder: SuiteFolder): string | undefined {
  const root = packageRoot(folder);
  return existsSync(root) ? root : undefined;
}

/**
 * Returns the folder of the unpacked packages, fetching them from the machine's own Debian mirror when
 * the cache lacks them.
 * @param say told, in a few words, what is being fetched
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensurePackageFolder(folder: PackageFolder, say?: (what: string) => void): string {
  const { packages, finish } = folder;
  return ensureFolder(folder, say, (suite, root) => {
    suite.unpack(packages, root);
    finish?.(root);
  });
}

/** A folder of the cache, and the suite from which it comes. */
export type SuiteFolder = Pick<PackageFolder, 'name' | 'suite'>;

/**
 * Returns a folder of the cache. When it is not there, `fill` makes it of a suite.
 * @param say told, in a few words, what is being fetched
 * @throws {Error} when this is no Debian machine, or the mirror does not answer
 */
export function ensureFolder(
  folder: SuiteFolder,
  say: (what: string) => void = () => {},
  fill: (suite: Suite, root: string) => void,
): string {
  const root = packageRoot(folder);
  if (existsSync(root)) return root;
  const { name, suite } = folder;
  if (!hasDebianTools()) throw new Error(`${name} comes from Debian: this needs apt-get on amd64`);
  mkdirSync(cacheFolder, { recursive: true });
  const work = mkdtempSync(join(cacheFolder, `.fetch-${name}-`));
  const unpacked = join(work, 'root');
  try {
    say(`${suite}: ${name}`);
    fill(openSuite(suite, join(work, 'apt'), findMirror()), unpacked);
    // The folder appears when all of it is there, so its presence is its completeness.
    if (!existsSync(root)) renameSync(unpacked, root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}

/**
 * Returns the words that start a program of a folder with the libraries that it was made for, which are for
 * no program of this machine. Its arguments come behind them.
 * @param options of the loader itself
 */
export function ownWords(
  root: string,
  program: string,
  ...options: readonly string[]
): readonly [string, ...string[]] {
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const loader = join(libraries, 'ld-linux-x86-64.so.2');
  const path = `${libraries}:${libraries}/systemd`;
  return [loader, ...options, '--library-path', path, join(root, program)];
}

/**
 * Writes a script for each program, by its name, into a directory of a folder. They find the folder from
 * where they lie, for it is moved when it is complete.
 */
export function writeStarters(
  root: string,
  directory: string,
  programs: Readonly<Record<string, string>>,
): void {
  mkdirSync(join(root, directory));
  for (const [name, program] of Object.entries(programs)) {
    if (!existsSync(join(root, program))) throw new Error(`${root} has no ${program}`);
    const words = ownWords('$root', program, '--argv0', name).map((word) => `"${word}"`);
    const script = `#!/bin/sh\nroot=$(dirname "$0")/..\nexec ${words.join(' ')} "$@"\n`;
    writeFileSync(join(root, directory, name), script, { mode: 0o755 });
  }
}
