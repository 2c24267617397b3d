/** How another program is run without trusting it to end, or to end with all that it started. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { errno } from './io-error.ts';

/** What is run. `argv` begins with the program. */
interface Program {
  readonly argv: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** When it is stopped. `timeout` in seconds. */
interface Bounds {
  readonly timeout: number;
  /** Looked at while it runs: says what it does that it may not. */
  readonly watch?: () => string | undefined;
}

/** What was wrong with a run, with the last that the program said. */
export interface Complaint {
  readonly what: string;
  readonly cause?: unknown;
}

/** How often a bound is looked at while the program runs, in milliseconds. */
const WATCH_INTERVAL = 100;
/** How long output is waited for after the program has ended, in milliseconds. */
const DRAIN_TIMEOUT = 500;
/** How many of the last characters of stderr are kept. */
const TAIL_LIMIT = 4096;
/** How many of the last lines of stderr a complaint shows. */
const TAIL_LINES = 5;
/** How much of each line, in UTF-16 units. */
const LINE_LIMIT = 200;

/** Returns PATH, HOME and LANG of an environment and no other variable: no PIN, no token of a signer. */
export function boundedEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  // The hook that starts us is promised no PATH.
  const fallback = '/run/current-system/sw/bin:/usr/bin:/bin';
  const { PATH = fallback, HOME = '/', LANG = 'C' } = environment;
  return { PATH, HOME, LANG };
}

/**
 * Runs a program to its end, with nothing on its stdin. It and whatever stays in its process group are
 * killed when it ends or exceeds a bound; a daemon that leaves the group escapes.
 * @returns what was wrong, or undefined when it ended with status 0
 */
export async function runProgram(
  program: Program,
  { timeout, watch = () => undefined }: Bounds,
): Promise<Complaint | undefined> {
  const child = await start(program);
  if ('what' in child) return child;
  const tail = keepTail(child.stderr);
  const stopped = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => stopped.resolve(`was stopped: it ran longer than ${timeout} seconds`),
    timeout * 1000,
  );
  const watcher = setInterval(() => {
    const excess = watch();
    if (excess !== undefined) stopped.resolve(`was stopped: ${excess}`);
  }, WATCH_INTERVAL);
  try {
    const complaint = await Promise.race([ended(child), stopped.promise]);
    // What it left running could still write to what the caller reads next.
    killGroup(child);
    await drained(child.stderr);
    return complaint === undefined ? undefined : { what: `${complaint}${lastLines(tail())}` };
  } finally {
    clearTimeout(timer);
    clearInterval(watcher);
    child.unref();
  }
}

type Child = ChildProcessByStdio<null, null, Readable>;

async function start({ argv, directory, environment }: Program): Promise<Child | Complaint> {
  const [file = '', ...args] = argv;
  try {
    const child = spawn(file, args, {
      cwd: directory,
      env: environment,
      // A group of its own, so that its children can be killed with it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await once(child, 'spawn');
    return child;
  } catch (cause) {
    return { what: `cannot be run: ${errno(cause) ?? 'unknown error'}`, cause };
  }
}

/** Waits until the program itself has ended; resolves to what was wrong with how it did. */
function ended(child: Child): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Not 'close': that waits for everyone who holds its stderr, a daemon for ever.
    child.once('exit', (status, signal) => {
      if (signal !== null) resolve(`was ended by ${signal}`);
      else resolve(status === 0 ? undefined : `ended with status ${status}`);
    });
  });
}

function killGroup({ pid }: Child): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // The whole group is gone, which is what was wanted, or it is not ours to kill any more.
    if (errno(error) !== 'ESRCH' && errno(error) !== 'EPERM') throw error;
  }
}

/** Lets the last output arrive, and does not wait for those who keep the pipe open. */
async function drained(stderr: Readable): Promise<void> {
  if (!stderr.closed) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, DRAIN_TIMEOUT);
    stderr.once('close', resolve);
    await promise;
    clearTimeout(timer);
  }
  stderr.destroy();
}

/** Reads a stream to its end and remembers only its last characters; returns what tells them. */
export function keepTail(stream: Readable): () => string {
  let tail = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-TAIL_LIMIT);
  });
  return () => tail;
}

/** Returns the last lines of what a program said behind a colon, or nothing when it said nothing. */
export function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) =>
      line
        .replace(/\p{Cc}/gu, ' ')
        .trim()
        .slice(0, LINE_LIMIT),
    )
    .filter((line) => line !== '')
    .slice(-TAIL_LINES);
  return lines.length === 0 ? '' : `: ${lines.join(' / ')}`;
}
