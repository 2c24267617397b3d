/** How another program is run without trusting it to end, or to end with all that it started. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { errno } from '../io-error.ts';
import { keepTail, lastLines } from './last-words.ts';
import type { Bounds, Complaint, Program } from './machine.ts';

/** How often a bound is looked at while the program runs, in milliseconds. */
const WATCH_INTERVAL = 100;
/** How long output is waited for after the program has ended, in milliseconds. */
const DRAIN_TIMEOUT = 500;

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
