/** From what a service starts with to what it must see: the roots, followed through store, ELF or a list. */
import { join } from 'node:path/posix';
import type { Disk } from '../disk/disk.ts';
import { absent, badUnit, isUnusable, refused } from './complaint.ts';
import type { Bind } from './library-search.ts';
import { isProgram, type ProgramTools, programClosure } from './program.ts';
import { type StoreQuery, storePathOf } from './store.ts';

/** How closures are found: in the store what lies in it and elsewhere by ELF, or all by one of the two. */
export type ClosureKind = 'auto' | 'elf' | 'nix';

/** A path that must be there inside, with everything it needs. */
export interface Root {
  /** Absolute, as the service names it. */
  readonly place: string;
  /** It is executed, so it has to be a program. */
  readonly isProgram: boolean;
}

/** A list of paths, bytes. */
const LIST_LIMIT = 64 * 1024 * 1024;

/** A package of more files than this is not looked through for what its programs need. */
const MAX_FILES = 50_000;

/**
 * Returns what must be bound for roots.
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

/** A path bound where it is; in the place of a link comes what it leads to. */
function bindAt(disk: Disk, place: string): Bind {
  return { source: realPath(disk, place), place };
}

function realPath(disk: Disk, path: string): string {
  const real = disk.realPath(path);
  if (real !== undefined) return real;
  throw absent(`${path} is not on this system`);
}

/** A program with its libraries, a directory with those of every program in it, or just a file. */
function fileClosure(bind: Bind, root: Root, tools: ProgramTools): Bind[] {
  if (root.isProgram) return programClosure(root.place, tools);
  if (tools.disk.stat(bind.source)?.kind === 'directory') {
    return [bind, ...filesIn(bind, tools).flatMap((file) => librariesOf(file, tools))];
  }
  return isProgram(bind.source, tools) ? programClosure(root.place, tools) : [bind];
}

/** Of a file in a package. One that could not be loaded outside either need not be inside. */
function librariesOf(file: Bind, { libraries }: ProgramTools): Bind[] {
  try {
    const elf = libraries.elf(file.source);
    return elf ? libraries.linkedTo(file, elf) : [];
  } catch (error) {
    if (isUnusable(error)) return [];
    throw error;
  }
}

/** Every file below a directory, links left aside: what they lead to is there itself or not ours. */
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

/** Whether a path is there inside, once all of `binds` are. */
export function isInside(place: string, binds: readonly Bind[]): boolean {
  return binds.some((bind) => place === bind.place || place.startsWith(`${bind.place}/`));
}

/**
 * Returns the binds by place, without any that another one brings along. Of two at one place the
 * first counts.
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

/** Every directory above a path but the root. */
function parents(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}
