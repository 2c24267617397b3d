/**
 * Computes the drop-in that confines a unit. It reads the unit, refuses or accepts, and writes
 * nothing.
 */
import type { Disk } from '../disk/disk.ts';
import {
  type ClosureKind,
  closureOf,
  isInside,
  type Root,
  readClosureFile,
  reduceBinds,
} from './closure.ts';
import { absent, badUnit } from './complaint.ts';
import { formatDropIn, type Mode } from './drop-in.ts';
import { parseExec } from './exec-command.ts';
import type { Bind } from './library-search.ts';
import { openLibraries } from './linked.ts';
import { namedPaths } from './named-paths.ts';
import { findProgram, isProgram, type ProgramTools, SEARCH_PATH } from './program.ts';
import { refuseConflicts } from './refusal.ts';
import { expandSpecifiers } from './specifier.ts';
import { type StoreQuery, storePathOf } from './store.ts';
import { readUnit, settingsOf, type Unit } from './unit.ts';
import { parseWords } from './words.ts';

/** What to confine, and how. Paths are absolute. */
export interface Request {
  /** A path of a unit file, or a unit's name. */
  readonly unit: string;
  readonly closure: ClosureKind | { readonly file: string };
  readonly mode: Mode;
  readonly fullUnit: boolean;
  readonly packages: readonly string[];
  /** The program that becomes `/bin/sh`; undefined for none. */
  readonly binSh: string | undefined;
  /** The path of the drop-in, if it is not the usual one. */
  readonly output: string | undefined;
}

/** A drop-in that is not written yet. */
export interface Confinement {
  readonly unit: Unit;
  readonly binds: readonly Bind[];
  readonly text: string;
  /** Warnings for whoever starts the service. */
  readonly notices: readonly string[];
}

/** Every setting whose commands run inside the service. */
const EXEC_SETTINGS = [
  'ExecCondition',
  'ExecStartPre',
  'ExecStart',
  'ExecStartPost',
  'ExecReload',
  'ExecReloadPost',
  'ExecStop',
  'ExecStopPost',
];

const SHELL = '/bin/sh';

/**
 * Returns a drop-in that lets a service see the closure of what it executes and nothing else.
 * @throws {CONFIG_INVALID} when there is no such unit, or it cannot be read
 * @throws {UNIT_REFUSED} when a setting of the unit, or the kind of closure, rules it out
 * @throws {FILE_MISSING} when a program or something it needs is not on this system
 * @throws {ELF_MALFORMED} when a program is neither ELF nor a script, or damaged
 * @throws {IO} when the store does not tell the closure
 */
export async function planConfinement(
  request: Request,
  disk: Disk,
  queryStore: StoreQuery,
): Promise<Confinement> {
  const unit = readUnit(disk, request.unit, request.output);
  refuseConflicts(unit);
  const tools = toolsFor(unit, disk);
  const { programs, missing } = executedPrograms(unit, tools);
  const named = namedPaths(disk, unit);
  const extras = [
    ...request.packages,
    ...(request.fullUnit ? named : storeArguments(unit, named, request)),
  ];
  const binds = await bindsFor(request, { programs, extras }, tools, queryStore);
  const outside = named.filter((path) => !isInside(path, binds));
  return {
    unit,
    binds,
    text: formatDropIn(unit, request.mode, binds),
    notices: [
      ...missing.map((program) => `${program} does not exist, and the unit says it need not`),
      ...scriptNotices(programs, tools),
      ...outside.map((path) => `${path} is named by the unit and will not exist for it`),
    ],
  };
}

/** Returns what finds programs and libraries as the service will, with the variables it sets. */
function toolsFor(unit: Unit, disk: Disk): ProgramTools {
  const environment = new Map(
    settingsOf(unit, 'Environment')
      .flatMap(parseWords)
      .map(({ text }): [string, string] => {
        const at = text.indexOf('=');
        return [text.slice(0, at), expandSpecifiers(text.slice(at + 1), unit) ?? ''];
      }),
  );
  const list = (paths = ''): string[] => paths.split(':').filter((path) => path.startsWith('/'));
  const searched = settingsOf(unit, 'ExecSearchPath').flatMap(list);
  const path = list(environment.get('PATH'));
  return {
    disk,
    libraries: openLibraries(disk, list(environment.get('LD_LIBRARY_PATH'))),
    searchPath: [searched, path, SEARCH_PATH].find((paths) => paths.length > 0) ?? [],
  };
}

/** Returns the programs of all commands. Missing programs that may be missing come separately. */
function executedPrograms(
  unit: Unit,
  tools: ProgramTools,
): { programs: string[]; missing: string[] } {
  const [programs, missing] = [new Set<string>(), new Set<string>()];
  for (const key of EXEC_SETTINGS) {
    for (const { program, mayFail } of settingsOf(unit, key).flatMap(parseExec)) {
      const name = expandSpecifiers(program, unit);
      if (name === undefined) {
        const hint = 'give the name of an instance, or write the path out';
        throw badUnit(`${unit.file}: ${key}=${program}: not known before it runs`, hint);
      }
      const found = findProgram(name, tools);
      if (found === undefined && !mayFail) {
        throw absent(`${unit.file}: ${key}=${program}: no such program on this system`);
      }
      if (found === undefined) missing.add(name);
      else programs.add(found);
    }
  }
  if (programs.size + missing.size > 0) return { programs: [...programs], missing: [...missing] };
  throw badUnit(`${unit.file}: expected a command in ExecStart= or its kin, got none`);
}

/**
 * An argument in a store is usually a script, and so part of the program. The store knows its
 * closure.
 */
function storeArguments(unit: Unit, named: readonly string[], { closure }: Request): string[] {
  if (closure !== 'auto' && closure !== 'nix') return [];
  const commands = EXEC_SETTINGS.flatMap((key) => settingsOf(unit, key)).join('\n');
  return named.filter((path) => storePathOf(path) !== undefined && commands.includes(path));
}

/**
 * Returns the roots of closures: the executed programs, and the extra paths that were asked for.
 */
interface Roots {
  readonly programs: readonly string[];
  readonly extras: readonly string[];
}

async function bindsFor(
  { closure, binSh }: Request,
  { programs, extras }: Roots,
  tools: ProgramTools,
  queryStore: StoreQuery,
): Promise<Bind[]> {
  const { disk } = tools;
  const shell = binSh === undefined ? [] : [shellBind(disk, binSh)];
  const listed = typeof closure === 'string' ? [] : readClosureFile(disk, closure.file);
  const kind = typeof closure === 'string' ? closure : 'auto';
  if (typeof closure !== 'string') requireCovered(programs, listed, disk, closure.file);
  const covered = (path: string): boolean => isInside(disk.realPath(path) ?? path, listed);
  const rooted = (isProgram: boolean, paths: readonly string[]): Root[] =>
    paths.filter((path) => !covered(path)).map((place) => ({ place, isProgram }));
  const found = await closureOf(
    [...rooted(true, programs), ...rooted(false, extras)],
    kind,
    tools,
    queryStore,
  );
  // We add the shell, so its closure is followed even when a list gives the service's own.
  const shells = rooted(
    true,
    shell.map(({ source }) => source),
  );
  const withShell = await closureOf(shells, 'auto', tools, queryStore);
  const links = [...programs, ...extras]
    .filter((path) => covered(path) && !isInside(path, listed))
    .map((place) => ({ source: disk.realPath(place) ?? place, place }));
  const needless = new Set(shell.map(({ source }) => source));
  const ofShell = withShell.filter(({ place }) => !needless.has(place));
  return reduceBinds([...shell, ...listed, ...links, ...found, ...ofShell]);
}

function shellBind(disk: Disk, binSh: string): Bind {
  const source = disk.realPath(binSh);
  if (source !== undefined) return { source, place: SHELL };
  throw absent(`${binSh} is not on this system`, 'use --bin-sh or --no-bin-sh');
}

/** A list without an executed program would make a service that cannot start. */
function requireCovered(
  programs: readonly string[],
  listed: readonly Bind[],
  disk: Disk,
  file: string,
): void {
  const left = programs.find((path) => !isInside(disk.realPath(path) ?? path, listed));
  if (left === undefined) return;
  throw absent(`${left} lies in no path of ${file}`, 'add it to the list, with what it needs');
}

/** ELF does not show what a script calls. The store's closure has it. */
function scriptNotices(programs: readonly string[], tools: ProgramTools): string[] {
  return programs
    .map((path) => tools.disk.realPath(path) ?? path)
    .filter((path) => storePathOf(path) === undefined && isProgram(path, tools))
    .filter((path) => tools.libraries.elf(path) === undefined)
    .map((path) => `${path} is a script: the programs it calls are not known`);
}
