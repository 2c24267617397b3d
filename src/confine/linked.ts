/** Everything that the dynamic linker maps to start a program: the closure that `ldd` shows. */
import type { Disk } from '../disk/disk.ts';
import { absent } from './complaint.ts';
import { type Elf, isElf, readElf } from './elf.ts';
import {
  type Bind,
  candidates,
  glibcDirectories,
  isMuslOwn,
  type Linker,
  type Loaded,
  MUSL_DIRECTORIES,
  muslMachine,
} from './library-search.ts';
import { type LoaderCache, readLoaderCache } from './loader-cache.ts';

/** This system as linkers see it. Each file is read once. */
export interface Libraries {
  /** Returns what a program needs besides itself. @throws {FILE_MISSING} {ELF_MALFORMED} */
  linkedTo(program: Bind, elf: Elf): Bind[];
  /** Reads an ELF file; undefined when it is none. @throws {ELF_MALFORMED} when it is damaged */
  elf(path: string): Elf | undefined;
}

const CACHE = '/etc/ld.so.cache';

/** A musl path file is a few lines: bytes. */
const PATH_FILE_LIMIT = 65_536;

/** Opens the libraries of a system. @param libraryPath the unit's `LD_LIBRARY_PATH` */
export function openLibraries(disk: Disk, libraryPath: readonly string[]): Libraries {
  const elfs = new Map<string, Elf | undefined>();
  const elf = (path: string): Elf | undefined => {
    if (!elfs.has(path)) elfs.set(path, readElfFile(disk, path));
    return elfs.get(path);
  };
  let cache: LoaderCache | undefined;
  const readCache = (): LoaderCache => {
    cache ??= readCacheFile(disk);
    return cache;
  };
  return {
    elf,
    linkedTo(program, own) {
      const main: Loaded = { ...program, elf: own, loadedBy: undefined };
      const system = { disk, elf, cache: readCache, libraryPath };
      return own.interpreter === undefined && own.needed.length === 0 ? [] : link(main, system);
    },
  };
}

function readElfFile(disk: Disk, path: string): Elf | undefined {
  if (disk.stat(path)?.kind !== 'file') return undefined;
  using file = disk.open(path);
  return isElf(file.read(0, 4)) ? readElf(file, path) : undefined;
}

function readCacheFile(disk: Disk): LoaderCache {
  if (disk.stat(CACHE)?.kind !== 'file') return new Map();
  using file = disk.open(CACHE);
  return readLoaderCache(file);
}

interface System {
  readonly disk: Disk;
  readonly elf: Libraries['elf'];
  readonly cache: () => LoaderCache;
  readonly libraryPath: readonly string[];
}

/** Loads breadth first, as linkers do: a name that something has brought along is not looked for again. */
function link(main: Loaded, system: System): Bind[] {
  const { linker, binds, names } = startLinker(main, system);
  const found = new Map(binds.map((bind) => [bind.place, bind]));
  const queue = [main];
  for (let object = queue.shift(); object; object = queue.shift()) {
    for (const name of object.elf.needed.filter((one) => !names.has(one))) {
      names.add(name);
      const { files, fromCache } = findLibrary(name, object, linker, system);
      if (fromCache) found.set(CACHE, { source: CACHE, place: CACHE });
      for (const { source, place, elf } of files) {
        if (elf.soname !== undefined) names.add(elf.soname);
        found.set(place, { source, place });
      }
      queue.push(...files);
    }
  }
  return [...found.values()];
}

/** Returns the linker of a program with the files that belong to it and the names it answers to. */
function startLinker(
  { elf: own, source }: Loaded,
  { disk, elf, cache, libraryPath }: System,
): { linker: Linker; binds: Bind[]; names: Set<string> } {
  const { interpreter } = own;
  const real = interpreter === undefined ? undefined : disk.realPath(interpreter);
  if (interpreter !== undefined && real === undefined) {
    throw absent(`${source}: its dynamic linker ${interpreter} is not on this system`);
  }
  const binds = interpreter && real ? [{ source: real, place: interpreter }] : [];
  const soname = real === undefined ? undefined : elf(real)?.soname;
  const names = new Set(soname === undefined ? [] : [soname]);
  const machine = muslMachine(interpreter ?? '');
  if (machine !== undefined) {
    const { directories, file } = muslDirectories(disk, machine);
    const linker = { isMusl: true, libraryPath, cache: new Map(), directories };
    return { linker, binds: [...binds, ...file], names };
  }
  const ends = [real, interpreter].filter((path) => path !== undefined);
  const directories = glibcDirectories(own, ends);
  return { linker: { isMusl: false, libraryPath, cache: cache(), directories }, binds, names };
}

/** musl's list of directories is a file, one to a line or between colons; it is needed inside too. */
function muslDirectories(
  disk: Disk,
  machine: string,
): { directories: readonly string[]; file: Bind[] } {
  const place = `/etc/ld-musl-${machine}.path`;
  const source = disk.realPath(place);
  if (source === undefined) return { directories: MUSL_DIRECTORIES, file: [] };
  const text = new TextDecoder().decode(disk.read(source, PATH_FILE_LIMIT));
  const directories = text.split(/[\n:]/).filter((path) => path.startsWith('/'));
  return { directories, file: [{ source, place }] };
}

function findLibrary(
  name: string,
  object: Loaded,
  linker: Linker,
  { disk, elf }: System,
): { files: Loaded[]; fromCache: boolean } {
  const list = (directory: string): string[] =>
    (disk.list(directory) ?? []).map((entry) => entry.name);
  if (linker.isMusl && isMuslOwn(name)) return { files: [], fromCache: false };
  const rules = candidates(name, object, linker, list);
  for (const { files, fromCache } of rules) {
    const fitting = files.flatMap(({ source, place }) => {
      const real = disk.realPath(source);
      const found = real === undefined ? undefined : elf(real);
      if (real === undefined || found?.machine !== object.elf.machine) return [];
      if (found.bits !== object.elf.bits) return [];
      return [{ source: real, place, elf: found, loadedBy: object }];
    });
    if (fitting.length > 0) return { files: fitting, fromCache };
  }
  throw absent(
    `${object.source} needs ${name}, which is in none of the places where it is looked for`,
    `look at what ldd says of ${object.source}`,
  );
}
