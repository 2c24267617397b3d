/**
 * Finds what a program needs to start: its libraries, and for a script its interpreter with its
 * own.
 */

import { basename, join } from 'node:path/posix';
import type { Disk } from '../disk/disk.ts';
import { kindAt } from './accessible.ts';
import { absent, badExecutable } from './complaint.ts';
import type { Bind } from './library-search.ts';
import type { Libraries } from './linked.ts';

/** systemd and `env` search a bare name in these directories. */
export const SEARCH_PATH: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

/** The kernel gives up on a script whose interpreter is a script whose … after this many. */
const MAX_INTERPRETERS = 5;

/** How much of a first line the kernel reads: bytes. */
const FIRST_LINE = 256;

/** What programs are looked up with. */
export interface ProgramTools {
  readonly disk: Disk;
  readonly libraries: Libraries;
  readonly searchPath: readonly string[];
}

/** Returns where a program lies: an absolute path as it is, a bare name from the search path. */
export function findProgram(name: string, { disk, searchPath }: ProgramTools): string | undefined {
  const paths = name.startsWith('/')
    ? [name]
    : searchPath.map((directory) => join(directory, name));
  return paths.find((path) => kindAt(disk, path) === 'file');
}

/** Whether a file can be executed at all: ELF or a script. */
export function isProgram(path: string, { disk, libraries }: ProgramTools): boolean {
  return libraries.elf(path) !== undefined || firstLine(disk, path)?.startsWith('#!') === true;
}

/**
 * Returns a program and everything it needs to start, each at the path where it is looked for.
 * @param place absolute; may be or lead through symbolic links
 * @throws {FILE_MISSING} when the program, its interpreter or one of its libraries is not there
 * @throws {ELF_MALFORMED} when a file is neither ELF nor a script, or damaged
 */
export function programClosure(place: string, tools: ProgramTools, depth = 0): Bind[] {
  const { disk, libraries } = tools;
  const source = disk.realPath(place);
  if (source === undefined || disk.stat(source)?.kind !== 'file') {
    throw absent(`${place}: no such program on this system`);
  }
  const bind = { source, place };
  const elf = libraries.elf(source);
  if (elf) return [bind, ...libraries.linkedTo(bind, elf)];
  const line = firstLine(disk, source) ?? '';
  if (!line.startsWith('#!')) {
    throw badExecutable(`${place}: expected an ELF file or a script, got neither`);
  }
  if (depth === MAX_INTERPRETERS) {
    throw badExecutable(`${place}: expected at most ${MAX_INTERPRETERS} interpreters, got more`);
  }
  const needed = interpreters(line, place, tools);
  return [bind, ...needed.flatMap((path) => programClosure(path, tools, depth + 1))];
}

/** The interpreter of a script; where that is `env`, the program that it looks up as well. */
function interpreters(line: string, script: string, tools: ProgramTools): string[] {
  const [interpreter = '', ...words] = line
    .slice(2)
    .trim()
    .split(/[ \t]+/);
  if (!interpreter.startsWith('/')) {
    throw badExecutable(`${script}: expected an absolute path after #!, got "${interpreter}"`);
  }
  if (basename(interpreter) !== 'env') return [interpreter];
  const name = words.find((word) => !word.startsWith('-') && !word.includes('='));
  if (name === undefined) return [interpreter];
  const found = findProgram(name, tools);
  if (found !== undefined) return [interpreter, found];
  throw absent(`${script}: its interpreter ${name} is not in ${tools.searchPath.join(':')}`);
}

/** The first line of a regular file as far as the kernel looks at it. */
function firstLine(disk: Disk, path: string): string | undefined {
  if (disk.stat(path)?.kind !== 'file') return undefined;
  using file = disk.open(path);
  return new TextDecoder().decode(file.read(0, FIRST_LINE)).split(/[\n\0]/)[0];
}
