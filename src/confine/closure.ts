/** Finds everything that a service must see: it follows the roots through store, ELF or a list. */
import { join } from 'node:path/posix';
import type { Disk } from '../disk/disk.ts';
import { absent, badUnit, isUnusable, refused } from './complaint.ts';
import type { Bind } from './library-search.ts';
import { isProgram, type ProgramTools, programClosure } from './program.ts';
import { type StoreQuery, storePathOf } from './store.ts';

/** How to find closures. `auto` asks the store for store paths, and follows ELF for all others. */
export type ClosureKind = 'auto' | 'elf' | 'nix';

/** A path that must exist inside the service, with everything it needs. */
export interface Root {
  /** The absolute path as the service names it. */
  readonly place: string;
  /** Whether it is executed. Then it has to be a program. */
  readonly isProgram: boolean;
}

/** In bytes. The limit of a list of paths. */
const LIST_LIMIT = 64 * 1024 * 1024;

/** A package with more files is not searched for programs and their libraries. */
const MAX_FILES = 50_000;

/**
 * Returns the binds that the roots need.
 * @throws {FILE_MISSING} when a root or something it needs is not on this system
 * @throws {UNIT_REFUSED} when only the store may tell and a program does not lie in it
 * @throws {IO} when the store does not answer
 */
export async function closureOf(
  roots: readonly Root[],
  kind: ClosureKind,
  tools: ProgramTools,
  queryStore: StoreQuery,
): Promise<Bind[]> {
  const stored = new Set<string>();
  const binds = roots.flatMap((root) => {
    const source = realPath(tools.disk, root.place);
    const storePath = kind === 'elf' ? undefined : storePathOf(source);
    if (storePath !== undefined) {
      stored.add(storePath);
      return storePathOf(root.place) === storePath ? [] : [{ source, place: root.place }];
    }
    if (kind === 'nix' && root.isProgram) {
      const hint = 'leave out --nix, and its libraries are followed instead';
      throw refused(`${root.place} does not lie in the Nix store`, hint);
    }
    return fileClosure({ source, place: root.place }, root, tools);
  });
  const paths = stored.size > 0 ? await queryStore([...stored]) : [];
  return [...binds, ...paths.map((path) => bindAt(tools.disk, path))];
}

/** Binds a path at its own place. For a link it binds the target there. */
function bindAt(disk: Disk, place: string): Bind {
  return { source: realPath(disk, place), place };
}

function realPath(disk: Disk, path: string): string {
  const real = disk.realPath(path);
  if (real !== undefined) return real;
  throw absent(`${path} is not on this system`);
}

/**
 * Returns a program with its libraries, a directory with those of its programs, or a plain file.
 */
function fileClosure(bind: Bind, root: Root, tools: ProgramTools): Bind[] {
  if (root.isProgram) return programClosure(root.place, tools);
  if (tools.disk.stat(bind.source)?.kind === 'directory') {
    return [bind, ...filesIn(bind, tools).flatMap((file) => librariesOf(file, tools))];
  }
  return isProgram(bind.source, tools) ? programClosure(root.place, tools) : [bind];
}

/**
 * Returns the libraries of a file in a package. One that cannot load outside need not load inside.
 */
function librariesOf(file: Bind, { libraries }: ProgramTools): Bind[] {
  try {
    const elf = libraries.elf(file.source);
    return elf ? libraries.linkedTo(file, elf) : [];
  } catch (error) {
    if (isUnusable(error)) return [];
    throw error;
  }
}

/** Returns every file below a directory. It ignores links: their targets are listed or foreign. */
function filesIn(top: Bind, { disk }: ProgramTools): Bind[] {
  const files: Bind[] = [];
  const queue = [top];
  for (let at = queue.pop(); at; at = queue.pop()) {
    for (const { name, kind } of disk.list(at.source) ?? []) {
      const entry = { source: join(at.source, name), place: join(at.place, name) };
      if (kind === 'directory') queue.push(entry);
      if (kind === 'file') files.push(entry);
    }
    if (files.length > MAX_FILES) {
      const hint = 'name the part of it that the service uses';
      throw refused(`${top.place}: expected at most ${MAX_FILES} files, got more`, hint);
    }
  }
  return files;
}

/**
 * Reads a list of paths, one to a line, as `store-paths` of Nixpkgs' closureInfo.
 * @throws {CONFIG_INVALID} when a line is no absolute path
 * @throws {FILE_MISSING} when the list, or a path in it, is not there
 */
export function readClosureFile(disk: Disk, file: string): Bind[] {
  const lines = new TextDecoder().decode(disk.read(file, LIST_LIMIT)).split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    if (line.startsWith('/')) return [bindAt(disk, line)];
    throw badUnit(`${file}:${index + 1}: expected an absolute path, got "${line}"`);
  });
}

/** Returns whether a path exists inside the service when all of `binds` are bound. */
export function isInside(place: string, binds: readonly Bind[]): boolean {
  return binds.some((bind) => place === bind.place || place.startsWith(`${bind.place}/`));
}

/**
 * Returns the binds by place, without those that lie below another one. Of two binds at one place
 * the first counts.
 */
export function reduceBinds(binds: readonly Bind[]): Bind[] {
  const byPlace = new Map<string, Bind>();
  for (const bind of binds) if (!byPlace.has(bind.place)) byPlace.set(bind.place, bind);
  const isBroughtAlong = ({ source, place }: Bind): boolean =>
    parents(place).some((parent) => {
      const above = byPlace.get(parent);
      return above !== undefined && above.source + place.slice(parent.length) === source;
    });
  return [...byPlace.values()]
    .filter((bind) => !isBroughtAlong(bind))
    .sort((a, b) => (a.place < b.place ? -1 : 1));
}

/** Returns every directory above a path, except the root. */
function parents(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}
