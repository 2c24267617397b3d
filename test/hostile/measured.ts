/** The program as a process of its own, with bounds on what it may take, and what it said. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { bundle } from '../../tools/bundle.ts';

/** What no run may take, whatever lies on the ESP. Bytes. */
export const MOST_MEMORY = 150 * 1024 * 1024;

/** Long after anybody would have lost patience: this tells a loop from a slow machine. Milliseconds. */
const LIMIT = 300_000;

/** Writes the peak of the process's memory in KiB, and its time in microseconds, where the parent listens. */
const TELL_USAGE = `data:text/javascript,${encodeURIComponent(
  "import { writeSync } from 'node:fs'; process.on('exit', () => { const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage(); writeSync(3, [maxRSS, userCPUTime + systemCPUTime].join(' ')); });",
)}`;

/** How a process ended. */
export interface Measured {
  /** Null when it was killed for taking too long. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Peak of its resident memory in bytes; not a number when it did not live to tell. */
  readonly peak: number;
}

/** Runs the program in one file, as it is shipped. */
export type Measure = (
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
) => Measured;

/**
 * Bundles the program for the tests of one file, and tells in the end which run took most of a processor's time.
 * @param compiled whether runs share what V8 compiled, as with the launcher: faster, and a few MiB more
 */
export function aProgram(compiled = true): Measure {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-program-'));
  const file = join(folder, 'espalier.mjs');
  before(() => bundle(file));
  let slowest = { seconds: 0, command: 'none' };
  after(() => {
    rmSync(folder, { recursive: true });
    console.log(`slowest run: ${slowest.seconds.toFixed(2)} s of CPU, ${slowest.command}`);
  });
  return (args, environment) => {
    const { status, stdout, stderr, output } = spawnSync(
      process.execPath,
      ['--import', TELL_USAGE, file, ...args],
      {
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          ...(compiled ? { NODE_COMPILE_CACHE: join(folder, 'compiled') } : {}),
          ...environment,
        },
        stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
        maxBuffer: 2 ** 28,
        timeout: LIMIT,
        killSignal: 'SIGKILL',
      },
    );
    const [peak, time] = (output[3] || 'NaN NaN').split(' ').map(Number);
    const seconds = (time ?? 0) / 1e6;
    if (seconds > slowest.seconds) slowest = { seconds, command: args.slice(0, 1).join(' ') };
    return { status, stdout, stderr, peak: 1024 * (peak ?? Number.NaN) };
  };
}
