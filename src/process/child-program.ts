/** Runs a program without trusting that it ends, or that it ends everything it started. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline, Readable, type Writable } from 'node:stream';
import { errno } from '../io-error.ts';
import { keepEnds, lastLines } from './last-words.ts';
import type { Bounds, Complaint, Program } from './machine.ts';
import { notRun } from './not-run.ts';

/** Milliseconds between two checks of a bound while the program runs. */
const WATCH_INTERVAL = 100;
/** Milliseconds to wait for output after the program has ended. */
const DRAIN_TIMEOUT = 500;

/**
 * Runs a program to its end. When it ends or exceeds a bound, it is killed with its process group.
 * A daemon that left the group escapes.
 * @returns what went wrong, or undefined when the program ended with status 0
 */
export async function runProgram(
  program: Program,
  { timeout, watch = () => undefined, judge = () => undefined }: Bounds,
): Promise<Complaint | undefined> {
  const child = await start(program);
  if ('what' in child) return child;
  const said = keepEnds(child.stderr);
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
    const complaint = await Promise.race([ended(child), stopped.promise, fed(child, program)]);
    // A process that it left running could still write to what the caller reads next.
    killGroup(child);
    await drained(child.stderr);
    if (complaint !== undefined) return { what: `${complaint}${lastLines(said.tail())}` };
    const judged = judge(said.head());
    return judged === undefined ? undefined : { what: `failed: ${judged}` };
  } catch (error) {
    killGroup(child);
    throw error;
  } finally {
    clearTimeout(timer);
    clearInterval(watcher);
    child.unref();
  }
}

type Child = ChildProcessByStdio<Writable | null, null, Readable>;

async function start(program: Program): Promise<Child | Complaint> {
  const { argv, directory, environment, input } = program;
  const [file = '', ...args] = argv;
  try {
    const child = spawn(file, args, {
      cwd: directory,
      env: environment,
      // A group of its own, so that its children can be killed with it.
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    }) as Child;
    await once(child, 'spawn');
    return child;
  } catch (cause) {
    return { what: `cannot be run: ${notRun(cause)}`, cause };
  }
}

/** Waits until the program itself has ended. Resolves to what went wrong, if anything. */
function ended(child: Child): Promise<string | undefined> {
  return new Promise((resolve) => {
    // 'close' would wait for everyone who holds its stderr: for a daemon, for ever.
    child.once('exit', (status, signal) => {
      if (signal !== null) resolve(`was ended by ${signal}`);
      else resolve(status === 0 ? undefined : `ended with status ${status}`);
    });
  });
}

/**
 * Gives the program its input. Never resolves: the program's own end says how it went.
 * @throws what the input throws
 */
function fed({ stdin }: Child, { input }: Program): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (stdin === null || input === undefined) return;
    // What the stream throws into a generator is the program's end, and no failure of the input.
    let failure: unknown;
    const pieces =
      Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
    async function* watched(): AsyncGenerator<Uint8Array> {
      for (let next = await take(); next.done !== true; next = await take()) yield next.value;
    }
    async function take(): Promise<IteratorResult<Uint8Array>> {
      try {
        return await pieces.next();
      } catch (error) {
        failure = error;
        throw error;
      }
    }
    // The program may end before it has read everything. Its exit status says why.
    pipeline(Readable.from(watched()), stdin, () => {
      if (failure !== undefined) reject(failure);
    });
  });
}

function killGroup({ pid }: Child): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: the group is gone, as wanted. EPERM: it is no longer ours to kill.
    if (errno(error) !== 'ESRCH' && errno(error) !== 'EPERM') throw error;
  }
}

/** Waits for the last output, but not for processes that keep the pipe open. */
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
