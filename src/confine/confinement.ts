/** From a unit to the drop-in that confines it: reads the unit, refuses or follows, and writes nothing. */
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

/** What is asked for. Paths are absolute. */
export interface Request {
  /** A path of a unit file, or a unit's name. */
  readonly unit: string;
  readonly closure: ClosureKind | { readonly file: string };
  readonly mode: Mode;
  readonly fullUnit: boolean;
  readonly packages: readonly string[];
  /** What becomes `/bin/sh`; undefined for nothing. */
  readonly binSh: string | undefined;
  /** Where the drop-in will be written, when not at its usual place. */
  readonly output: string | undefined;
}

/** A drop-in, not yet written. */
export interface Confinement {
  readonly unit: Unit;
  readonly binds: readonly Bind[];
  readonly text: string;
  /** What a person should know before starting the service. */
  readonly notices: readonly string[];
}

/** Every setting whose commands run inside. */
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
 * Returns the drop-in with which a service sees the closure of what it executes and nothing else.
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
    ...(request.fullUnit ? named : programTexts(unit, named, request)),
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

/** What looks up programs and libraries as the service will, with the variables that it sets. */
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

/** The programs of all commands; those that are missing, and may be, apart. */
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

/** What commands are given that lies in a store is part of the program, a script as a rule; the store knows it. */
function programTexts(unit: Unit, named: readonly string[], { closure }: Request): string[] {
  if (closure !== 'auto' && closure !== 'nix') return [];
  const commands = EXEC_SETTINGS.flatMap((key) => settingsOf(unit, key)).join('\n');
  return named.filter((path) => storePathOf(path) !== undefined && commands.includes(path));
}

/** Where closures start: what is executed, and what is wanted besides. */
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
  if (typeof closure !== 'string') demandCovered(programs, listed, disk, closure.file);
  const covered = (path: string): boolean => isInside(disk.realPath(path) ?? path, listed);
  const rooted = (isProgram: boolean, paths: readonly string[]): Root[] =>
    paths.filter((path) => !covered(path)).map((place) => ({ place, isProgram }));
  const found = await closureOf(
    [...rooted(true, programs), ...rooted(false, extras)],
    kind,
    tools,
    queryStore,
  );
  // The shell is ours to add, so it comes with its closure however the service's own is told.
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

/** A list that leaves out what is executed would make a service that cannot start. */
function demandCovered(
  programs: readonly string[],
  listed: readonly Bind[],
  disk: Disk,
  file: string,
): void {
  const left = programs.find((path) => !isInside(disk.realPath(path) ?? path, listed));
  if (left === undefined) return;
  throw absent(`${left} lies in no path of ${file}`, 'add it to the list, with what it needs');
}

/** What a script calls in its turn, nobody can tell from outside; the store's closure has it. */
function scriptNotices(programs: readonly string[], tools: ProgramTools): string[] {
  return programs
    .map((path) => tools.disk.realPath(path) ?? path)
    .filter((path) => storePathOf(path) === undefined && isProgram(path, tools))
    .filter((path) => tools.libraries.elf(path) === undefined)
    .map((path) => `${path} is a script: the programs it calls are not known`);
}
