/**
 * Where a dynamic linker searches for a library, and in which order (ld.so(8), and musl's rules).
 */
import { dirname, join, normalize } from 'node:path/posix';
import type { Elf } from './elf.ts';
import type { LoaderCache } from './loader-cache.ts';

/** A file of this system and the path at which the confined service sees it. */
export interface Bind {
  /** A path without symbolic links. */
  readonly source: string;
  readonly place: string;
}

/** A program or library that is being loaded. */
export interface Loaded extends Bind {
  readonly elf: Elf;
  readonly loadedBy: Loaded | undefined;
}

/** The dynamic linker of one program, and the settings that steer its search. */
export interface Linker {
  readonly isMusl: boolean;
  /** From `LD_LIBRARY_PATH`. */
  readonly libraryPath: readonly string[];
  readonly cache: LoaderCache;
  /** Directories that are searched last. */
  readonly directories: readonly string[];
}

/** A directory on this system, and its path inside the confined service. */
interface Directory {
  readonly here: string;
  readonly there: string;
}

/** Files that may be the library, the best first. The first rule with any file wins. */
export interface Candidates {
  readonly fromCache: boolean;
  /** Each `source` may have symbolic links, or may not exist. */
  readonly files: readonly Bind[];
}

/** Returns, rule by rule, where a linker searches for a library that `object` needs. */
export function candidates(
  name: string,
  object: Loaded,
  linker: Linker,
  list: (directory: string) => readonly string[],
): Candidates[] {
  if (name.startsWith('/')) return [{ fromCache: false, files: [{ source: name, place: name }] }];
  // The path is relative to the directory of the service at load time, which is unknown now.
  if (name.includes('/')) return [];
  const inDirectory = ({ here, there }: Directory): Candidates => {
    const below = ['', ...hardwareDirectories(here, linker, list)];
    const files = below.map((part) => ({
      source: join(here, part, name),
      place: join(there, part, name),
    }));
    return { fromCache: false, files };
  };
  const cached = linker.cache.get(name) ?? [];
  const { before, after } = linker.isMusl ? muslPaths(object, linker) : glibcPaths(object, linker);
  const defaults = object.elf.ownDirectoriesOnly ? [] : linker.directories.map(unmoved);
  return [
    ...[...before, ...after].map(inDirectory),
    ...(object.elf.ownDirectoriesOnly
      ? []
      : [{ fromCache: true, files: cached.map((path) => ({ source: path, place: path })) }]),
    ...defaults.map(inDirectory),
  ];
}

interface Paths {
  readonly before: readonly Directory[];
  readonly after: readonly Directory[];
}

/**
 * A library's own libraries inherit RPATH, but not RUNPATH. An object with RUNPATH has no RPATH.
 */
function glibcPaths(object: Loaded, { libraryPath }: Linker): Paths {
  const inherits = object.elf.runpath.length === 0;
  const chain = inherits ? ancestry(object).filter(({ elf }) => elf.runpath.length === 0) : [];
  return {
    before: chain.flatMap((one) => one.elf.rpath.flatMap((path) => expand(path, one))),
    after: [
      ...libraryPath.map(unmoved),
      ...object.elf.runpath.flatMap((path) => expand(path, object)),
    ],
  };
}

/** musl treats RUNPATH as RPATH, and searches it after `LD_LIBRARY_PATH`. */
function muslPaths(object: Loaded, { libraryPath }: Linker): Paths {
  return {
    before: libraryPath.map(unmoved),
    after: ancestry(object).flatMap((one) => {
      const { runpath, rpath } = one.elf;
      return (runpath.length > 0 ? runpath : rpath).flatMap((path) => expand(path, one));
    }),
  };
}

function ancestry(object: Loaded): Loaded[] {
  const chain = [object];
  for (let one = object.loadedBy; one; one = one.loadedBy) chain.push(one);
  return chain;
}

function unmoved(path: string): Directory {
  return { here: path, there: path };
}

/**
 * Replaces the tokens of ld.so(8) §Dynamic string tokens. On this system `$ORIGIN` is the directory
 * without links. Inside the service it is the directory of the place where the file is bound.
 */
function expand(path: string, { source, place, elf }: Loaded): Directory[] {
  const libraries = [`lib/${TRIPLETS[elf.machine]}`, elf.bits === 64 ? 'lib64' : 'lib', 'lib'];
  const filled = /\$\{?LIB\b/.test(path) ? libraries : [''];
  return filled
    .map((library) => {
      const at = (origin: string): string =>
        normalize(
          path
            .replace(/\$(?:ORIGIN\b|\{ORIGIN\})/g, dirname(origin))
            .replace(/\$(?:LIB\b|\{LIB\})/g, library),
        );
      return { here: at(source), there: at(place) };
    })
    .filter(({ here }) => here.startsWith('/') && !here.includes('$'));
}

/** glibc keeps variants for newer processors here. It chooses one only when it runs. */
function hardwareDirectories(
  directory: string,
  { isMusl }: Linker,
  list: (directory: string) => readonly string[],
): string[] {
  if (isMusl) return [];
  return list(join(directory, 'glibc-hwcaps')).map((name) => join('glibc-hwcaps', name));
}

/** Debian's names of the machines of `e_machine`, which its library directories contain. */
const TRIPLETS: Readonly<Record<number, string>> = {
  3: 'i386-linux-gnu',
  21: 'powerpc64le-linux-gnu',
  22: 's390x-linux-gnu',
  40: 'arm-linux-gnueabihf',
  62: 'x86_64-linux-gnu',
  183: 'aarch64-linux-gnu',
  243: 'riscv64-linux-gnu',
  258: 'loongarch64-linux-gnu',
};

/** Returns the directories that glibc's linker always searches. It lies in one of them. */
export function glibcDirectories({ bits, machine }: Elf, interpreter: readonly string[]): string[] {
  const triplet = TRIPLETS[machine];
  const wide = bits === 64 ? ['lib64'] : [];
  const names = [...(triplet === undefined ? [] : [`lib/${triplet}`]), ...wide, 'lib'];
  return [
    ...new Set([
      ...interpreter.map(dirname),
      ...names.flatMap((name) => [`/${name}`, `/usr/${name}`]),
    ]),
  ];
}

/** Returns whether a library is part of musl's linker itself. */
export function isMuslOwn(name: string): boolean {
  return /^lib(?:c|pthread|rt|m|dl|util|xnet)\./.test(name);
}

/** Returns the machine in the name of musl's linker, or undefined for any other linker. */
export function muslMachine(interpreter: string): string | undefined {
  return /\/ld-musl-([^/]+)\.so\.1$/.exec(interpreter)?.[1];
}

/** musl searches these directories when no file of its own names others. */
export const MUSL_DIRECTORIES: readonly string[] = ['/lib', '/usr/local/lib', '/usr/lib'];
