/** Runs the program of this checkout as a person would. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { usedBy } from '../support/used-by.ts';
import { attempt, environment, type Ran, type RunOptions } from './run.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');

/** Runs `espalier` with those of the given arguments that its verb uses, and returns what it said, whatever its status. */
export function espalier(args: readonly string[], options: RunOptions = {}): Ran {
  return attempt(process.execPath, [main, ...usedBy(args)], options);
}

/** Runs `espalier` with this process's own terminal for its output, and returns its status. */
export function espalierInSight(args: readonly string[]): number {
  const { status } = spawnSync(process.execPath, [main, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: environment(),
  });
  return status ?? 128;
}
