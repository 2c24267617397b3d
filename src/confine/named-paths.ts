/** Which paths a unit names besides its programs: what `--full-unit` binds, and is missed otherwise. */
import { normalize } from 'node:path/posix';
import type { Disk } from '../disk/disk.ts';
import { kindAt } from './accessible.ts';
import { expandSpecifiers } from './specifier.ts';
import { storePathsIn } from './store.ts';
import type { Unit } from './unit.ts';
import type { Assignment } from './unit-syntax.ts';
import { parseWords } from './words.ts';

/** Settings whose paths the manager opens itself, or puts inside, or keeps away. */
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

/** Provided by the mode, or everything at once. */
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

/** What a setting cannot be read as, it does not name. */
function wordsOf({ key, value }: Assignment, unit: Unit): string[] {
  const isList = key.startsWith('Exec') || key === 'Environment' || key.endsWith('Paths');
  const words = isList ? parseWords(value).map(({ text }) => text) : [value];
  return words.flatMap((word) => expandSpecifiers(word, unit) ?? []);
}

/** A path may be the word, or follow a prefix, `--option=` or a colon in it. */
function pathsIn(word: string): string[] {
  return [word, ...word.split(/[=:,]/)]
    .map((part) => part.replace(/^[-+@!|~]+(?=\/)/, ''))
    .filter((part) => part.startsWith('/'))
    .map((part) => normalize(part).replace(/(?<=.)\/$/, ''));
}
