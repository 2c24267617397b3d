/** Reads a unit as systemd loads it: its file, its drop-ins, and the settings that result. */
import { basename, dirname, join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { badUnit } from './complaint.ts';
import { dropInDirectories, fragmentNames, parseUnitName, type UnitName } from './unit-name.ts';
import { type Assignment, parseUnit } from './unit-syntax.ts';

export interface Unit {
  readonly name: UnitName;
  /** The file that defines it. */
  readonly file: string;
  readonly dropIns: readonly string[];
  /** The assignments of all its files, in the order in which systemd applies them. */
  readonly assignments: readonly Assignment[];
  /** Whether this system's manager loads it: it was named and not given by path. */
  readonly isOfSystem: boolean;
  /** The path of our own drop-in for it. */
  readonly ownDropIn: string;
}

/** The directories of system units, the best first (systemd.unit(5) §Unit File Load Path). */
const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];
const ADMINISTRATOR_DIRECTORY = '/etc/systemd/system';

/** The name of our drop-in. A file of this name is never read as part of the unit. */
const OWN_NAME = 'confinement.conf';

/** In bytes. No unit needs more. */
const UNIT_LIMIT = 4 * 1024 * 1024;

/**
 * Reads a unit with its drop-ins. An operand with a slash is the path of a unit file, and its
 * drop-ins lie beside it. Any other operand, and a path in a unit directory of the system, is a
 * unit's name.
 * @param output a drop-in that will be overwritten, and so does not count as part of the unit
 * @throws {CONFIG_INVALID} when there is no such unit, it is masked, or it is no service
 */
export function readUnit(disk: Disk, operand: string, output?: string): Unit {
  const isName = !operand.includes('/') || UNIT_DIRECTORIES.includes(dirname(operand));
  const directories = isName ? UNIT_DIRECTORIES : [dirname(operand)];
  const name = parseUnitName(basename(operand));
  if (name.suffix !== '.service') {
    throw badUnit(`${operand}: expected a service, got a unit of type ${name.suffix.slice(1)}`);
  }
  const file = findFragment(disk, isName ? fragmentNames(name) : [basename(operand)], directories);
  if (file === undefined) {
    const hint = 'give the name of a service of this system, or the path of a unit file';
    throw badUnit(`${operand}: no such unit in ${directories.join(', ')}`, hint);
  }
  const home = isName ? ADMINISTRATOR_DIRECTORY : dirname(operand);
  const ownDropIn = join(home, `${name.full}.d`, OWN_NAME);
  const names = [name, parseUnitName(basename(disk.realPath(file) ?? file))];
  const dropIns = findDropIns(disk, names, directories).filter(
    (path) => path !== output && basename(path) !== OWN_NAME,
  );
  const texts = [file, ...dropIns].map((path) => readText(disk, path));
  if (texts[0]?.trim() === '') throw badUnit(`${file}: the unit is masked`);
  const assignments = texts.flatMap(parseUnit);
  return { name, file, dropIns, assignments, isOfSystem: isName, ownDropIn };
}

function findFragment(
  disk: Disk,
  names: readonly string[],
  directories: readonly string[],
): string | undefined {
  return names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((path) => disk.linkStat(path) !== undefined);
}

/** Finds every drop-in by name. Of two with one name the first found counts (systemd.unit(5)). */
function findDropIns(
  disk: Disk,
  names: readonly UnitName[],
  directories: readonly string[],
): string[] {
  const found = new Map<string, string>();
  for (const stem of new Set(names.flatMap(dropInDirectories))) {
    for (const directory of directories) {
      for (const { name } of disk.list(join(directory, stem)) ?? []) {
        if (name.endsWith('.conf') && !found.has(name))
          found.set(name, join(directory, stem, name));
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

/** A file that links to `/dev/null` hides others of its name, and reads as empty. */
function readText(disk: Disk, path: string): string {
  if (disk.realPath(path) === '/dev/null') return '';
  return new TextDecoder().decode(disk.read(path, UNIT_LIMIT));
}

/** Returns the values of a list in `[Service]`. An empty assignment clears those before it. */
export function settingsOf({ assignments }: Pick<Unit, 'assignments'>, key: string): string[] {
  const values = assignments
    .filter(({ section, key: other }) => section === 'Service' && other === key)
    .map(({ value }) => value);
  return values.slice(values.lastIndexOf('') + 1);
}

/** Returns the last value of a setting in `[Service]`, or undefined when it is not set. */
export function settingOf(unit: Pick<Unit, 'assignments'>, key: string): string | undefined {
  return settingsOf(unit, key).at(-1);
}
