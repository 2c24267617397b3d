/** Runs the program of this checkout as a person would. */
import { resolve } from 'node:path';
import { attempt, type Ran } from './run.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');

/** Runs `espalier` with the given arguments and returns what it said, whatever its status. */
export function espalier(args: readonly string[]): Ran {
  return attempt(process.execPath, [main, ...args]);
}
