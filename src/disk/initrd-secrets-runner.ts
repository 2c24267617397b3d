/** How a bootspec's `initrdSecrets` program is run without trusting it to end, or to be small. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { EspError } from '../error.ts';
import { errno } from './io-error.ts';

/** Bounds on a program. `timeout` in seconds, `growth` in bytes. */
export interface SecretsBounds {
  /** How long it may run. */
  readonly timeout?: number;
  /** How much it may append. */
  readonly growth?: number;
  /** The root of the system that the program belongs to; its path is one inside. */
  readonly root?: string;
}

/** How often the size of the copy is looked at while the program runs, in milliseconds. */
const WATCH_INTERVAL = 100;
/** How long output is waited for after the program has ended, in milliseconds. */
const DRAIN_TIMEOUT = 500;
/** How many of the last characters of stderr are kept. */
const TAIL_LIMIT = 4096;
/** How many of the last lines of stderr an error shows. */
const TAIL_LINES = 5;

/**
 * Appends secrets to a private copy of an initrd (RFC 0125 §Bootspec Format v1): runs the program
 * with the path of the copy as its only argument. The copy (mode 0600) lies in a new directory
 * (mode 0700) inside `directory`, which should be in memory; the caller removes it with `remove`,
 * and it is gone already when this rejects.
 *
 * The program gets PATH, HOME and LANG from us and no other variable, so no PIN or token of the
 * signer; its TMPDIR is the private directory. It and whatever stays in its process group are killed
 * when it ends or exceeds a bound. A daemon that leaves the group escapes.
 * @throws {INITRD_SECRETS_FAILED} when the program cannot be run, fails, exceeds a bound, or leaves
 * something that is no longer the initrd with more at its end
 * @throws {IO} when the initrd cannot be copied into `directory`
 */
export async function appendInitrdSecrets(
  secrets: { readonly program: string; readonly initrd: string; readonly directory: string },
  { timeout = 60, growth = 1024 ** 3, root }: SecretsBounds = {},
): Promise<{ path: string; size: number; remove(): void }> {
  const { program, initrd, directory } = secrets;
  const home = prepared(initrd, directory, () =>
    fs.mkdtempSync(join(directory, 'espalier-secrets-')),
  );
  // SAFETY: a private copy that nothing boots from; whoever wants it makes it again.
  const remove = (): void => fs.rmSync(home, { recursive: true, force: true });
  try {
    const path = join(home, 'initrd');
    const original = prepared(initrd, directory, () => copyPrivately(initrd, path));
    const limit = original + growth;
    await run({ program, path, root }, { timeout, limit });
    return { path, size: checkedSize(program, path, original, limit), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Not as other errors of files are told: a full or read-only `directory` is not the ESP. */
function prepared<T>(initrd: string, directory: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const reason = errno(cause) ?? 'unknown error';
    throw new EspError('IO', `cannot copy ${initrd} into ${directory}: ${reason}`, { cause });
  }
}

/** Copies a file that only its owner may then read and write; returns its size in bytes. */
function copyPrivately(from: string, to: string): number {
  fs.copyFileSync(from, to, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
  fs.chmodSync(to, 0o600);
  return fs.statSync(to).size;
}

/** The program may have put anything in the place of the copy: a link would lead us to other files. */
function checkedSize(program: string, path: string, original: number, limit: number): number {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw failed(program, 'expected it to leave a regular file, got none');
  const { size } = stats;
  if (size > limit) throw failed(program, tooLarge(limit));
  if (size < original) {
    throw failed(program, `expected it to append to ${original} bytes, got only ${size}`);
  }
  return size;
}

type Child = ChildProcessByStdio<null, null, Readable>;

/** A program, the copy it is given, and the root that both are below, if that is not the host's. */
interface Call {
  readonly program: string;
  readonly path: string;
  readonly root: string | undefined;
}

async function run(
  call: Call,
  { timeout, limit }: { timeout: number; limit: number },
): Promise<void> {
  const { program, path } = call;
  const child = await start(call);
  const tail = keepTail(child.stderr);
  const stopped = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => stopped.resolve(`was stopped: it ran longer than ${timeout} seconds`),
    timeout * 1000,
  );
  const watch = setInterval(() => {
    if (sizeOf(path) > limit) stopped.resolve(`was stopped: it ${tooLarge(limit)}`);
  }, WATCH_INTERVAL);
  try {
    const complaint = await Promise.race([ended(child), stopped.promise]);
    // Whatever it left running could still write to a copy that is hashed and signed next.
    killGroup(child);
    await drained(child.stderr);
    if (complaint !== undefined) throw failed(program, `${complaint}${lastLines(tail())}`);
  } finally {
    clearTimeout(timer);
    clearInterval(watch);
    child.unref();
  }
}

async function start({ program, path, root }: Call): Promise<Child> {
  const seen = path.slice(root?.length ?? 0);
  const [file = '', ...args] =
    root === undefined ? [program, seen] : ['chroot', root, program, seen];
  try {
    const child = spawn(file, args, {
      cwd: dirname(path),
      env: environment(dirname(seen)),
      // A group of its own, so that its children can be killed with it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await once(child, 'spawn');
    return child;
  } catch (cause) {
    throw failed(program, `cannot be run: ${errno(cause) ?? 'unknown error'}`, cause);
  }
}

function environment(home: string): Record<string, string> {
  // The hook that starts us is promised no PATH.
  const fallback = '/run/current-system/sw/bin:/usr/bin:/bin';
  const { PATH = fallback, HOME = '/', LANG = 'C' } = process.env;
  return { PATH, HOME, LANG, TMPDIR: home };
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

/** Reads a stream to its end and remembers only its last characters. */
function keepTail(stream: Readable): () => string {
  let tail = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-TAIL_LIMIT);
  });
  return () => tail;
}

function lastLines(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/\p{Cc}/gu, ' ').trim())
    .filter((line) => line !== '')
    .slice(-TAIL_LINES);
  return lines.length === 0 ? '' : `: ${lines.join(' / ')}`;
}

function sizeOf(path: string): number {
  return fs.lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function tooLarge(limit: number): string {
  return `made the initrd larger than ${limit} bytes`;
}

function failed(program: string, what: string, cause?: unknown): EspError {
  return new EspError('INITRD_SECRETS_FAILED', `initrd secrets program ${program} ${what}`, {
    hint: 'run it by hand on a copy of the initrd, and see whether the secrets it reads are there',
    cause,
  });
}
