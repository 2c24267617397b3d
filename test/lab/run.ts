/** Runs the lab's outside programs and turns a failure into one sentence. */
import { spawnSync } from 'node:child_process';

/** Settings for one run; `input` goes to the program's standard input. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/** What a program left behind. `status` is 127 when it could not be started. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const outputLimit = 64 * 1024 * 1024;

/** The environment of every program: no translated messages, no questions, and the system's tools on the path. */
export function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    ...(process.env as Record<string, string>),
    PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`,
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
    ...extra,
  };
}

/** Runs a program and returns what it said, whatever its status. */
export function attempt(program: string, args: readonly string[], options: RunOptions = {}): Ran {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: outputLimit,
    env: environment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined
      ? { stdio: ['ignore', 'pipe', 'pipe'] }
      : { input: options.input }),
  });
  if (error !== undefined) return { status: 127, stdout: '', stderr: error.message };
  const ended = signal === null ? stderr : `${stderr}ended by ${signal}`;
  return { status: status ?? 128, stdout, stderr: ended };
}

/**
 * Runs a program that has to succeed and returns its standard output.
 * @throws {Error} with the last lines it said when it fails
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr } = attempt(program, args, options);
  if (status === 0) return stdout;
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-4).join('; ');
  throw new Error(`${program} ${args.slice(0, 3).join(' ')} … ended with ${status}: ${said}`);
}
