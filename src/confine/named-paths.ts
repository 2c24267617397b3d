/** Finds the paths that a unit names besides its programs. `--full-unit` binds them. */
import { normalize } from 'node:path/posix';
import type { Disk } from '../disk/disk.ts';
import { kindAt } from './accessible.ts';
import { expandSpecifiers } from './specifier.ts';
import { storePathsIn } from './store.ts';
import type { Unit } from './unit.ts';
import type { Assignment } from './unit-syntax.ts';
import { parseWords } from './words.ts';

/** Settings whose paths the manager opens itself, creates inside, or hides. */
const NOT_FOR_THE_SERVICE: ReadonlySet<string> = new Set([
  'BindPaths',
  'BindReadOnlyPaths',
  'EnvironmentFile',
  'ExecPaths',
  'ExecSearchPath',
  'InaccessiblePaths',
  'LoadCredential',
  'LoadCredentialEncrypted',
  'NoExecPaths',
  'PIDFile',
  'ReadWritePaths',
  'RootDirectory',
  'RootImage',
  'StandardError',
  'StandardInput',
  'StandardOutput',
  'TTYPath',
  'TemporaryFileSystem',
]);

/** Paths that the mode provides, or that would bind everything at once. */
const NEVER_BOUND = /^\/(?:(?:dev|proc|sys|tmp|var\/tmp)(?:\/.*)?|run|var|etc|usr)?$/;

/** Returns the paths that exist on this system and that the unit's `[Service]` section names. */
export function namedPaths(disk: Disk, unit: Unit): string[] {
  const words = unit.assignments
    .filter(({ section, key }) => section === 'Service' && !NOT_FOR_THE_SERVICE.has(key))
    .flatMap((assignment) => wordsOf(assignment, unit));
  const paths = words.flatMap((word) => [...pathsIn(word), ...storePathsIn(word)]);
  return [...new Set(paths)].filter(
    (path) => !NEVER_BOUND.test(path) && kindAt(disk, path) !== undefined,
  );
}

/** A value that cannot be parsed names no path. */
function wordsOf({ key, value }: Assignment, unit: Unit): string[] {
  const isList = key.startsWith('Exec') || key === 'Environment' || key.endsWith('Paths');
  const words = isList ? parseWords(value).map(({ text }) => text) : [value];
  return words.flatMap((word) => expandSpecifiers(word, unit) ?? []);
}

/** Finds a path that is the word itself, or follows a prefix, `--option=` or a colon in it. */
function pathsIn(word: string): string[] {
  return [word, ...word.split(/[=:,]/)]
    .map((part) => part.replace(/^[-+@!|~]+(?=\/)/, ''))
    .filter((part) => part.startsWith('/'))
    .map((part) => normalize(part).replace(/(?<=.)\/$/, ''));
}
