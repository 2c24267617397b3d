/** How a bootspec's `initrdSecrets` program is run without trusting it to end, or to be small. */
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { EspError } from '../error.ts';
import { boundedEnvironment, runProgram } from './child-program.ts';
import { errno } from './io-error.ts';
import { fill } from './node-reading.ts';
import { isOfTheDead, MARK, processMark } from './process-mark.ts';

/** Bounds on a program. `timeout` in seconds, `growth` in bytes. */
export interface SecretsBounds {
  /** How long it may run. */
  readonly timeout?: number;
  /** How much it may append. */
  readonly growth?: number;
  /** The root of the system that the program belongs to; its path is one inside. */
  readonly root?: string;
  /**
   * Takes from what was appended what differs each time; undefined when it cannot be told what that is.
   * `offset` is where it begins in the initrd.
   */
  readonly steady?: (appended: Uint8Array, offset: number) => Promise<Uint8Array | undefined>;
}

/**
 * Appends secrets to a private copy of an initrd (RFC 0125 §Bootspec Format v1): runs the program
 * with the path of the copy as its only argument. The copy (mode 0600) lies in a new directory
 * (mode 0700) inside `directory`, which should be in memory; the caller removes it with `remove`,
 * and it is gone already when this rejects. What processes left there that were killed goes first.
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
  { timeout = 60, growth = 1024 ** 3, root, steady }: SecretsBounds = {},
): Promise<{ path: string; size: number; isSteady: boolean; remove(): void }> {
  const { program, initrd, directory } = secrets;
  const home = prepared(initrd, directory, () => {
    removeLeftovers(directory);
    return fs.mkdtempSync(join(directory, `espalier-secrets-${processMark()}-`));
  });
  // SAFETY: a private copy that nothing boots from; whoever wants it makes it again.
  const remove = (): void => fs.rmSync(home, { recursive: true, force: true });
  try {
    const path = join(home, 'initrd');
    const { ino } = fs.lstatSync(home);
    const original = prepared(initrd, directory, () => copyPrivately(initrd, path));
    const limit = original + growth;
    await run({ program, path, root }, { timeout, limit });
    requireSame(program, home, ino);
    const size = checkedSize(program, path, original, limit);
    const steadied = await rewriteEnd(path, original, size, steady);
    return { path, size: steadied ?? size, isSteady: steadied !== undefined, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

const HOME = new RegExp(`^espalier-secrets-(${MARK})-\\w{6}$`);

/**
 * Removes the private directories of processes that are no more. In a directory for everyone, others
 * may have made one of such a name, or a link.
 */
function removeLeftovers(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    const mark = HOME.exec(name)?.[1];
    if (mark === undefined || !isOfTheDead(mark)) continue;
    const path = join(directory, name);
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    if (!stats?.isDirectory() || stats.uid !== process.getuid?.()) continue;
    // SAFETY: private copies that nothing boots from, and whose process is dead.
    fs.rmSync(path, { recursive: true, force: true });
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

/** A link in the place of the directory would lead us, and what we write, to files of others. */
function requireSame(program: string, home: string, inode: number): void {
  const stats = fs.lstatSync(home, { throwIfNoEntry: false });
  if (stats?.isDirectory() && stats.ino === inode) return;
  throw failed(program, 'replaced the directory that its copy of the initrd lies in');
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

/** Secrets are small: what is larger is left as it is. Bytes. */
const STEADY_LIMIT = 64 * 1024 * 1024;

/**
 * Rewrites what was appended, so that the same secrets are the same bytes each time.
 * @returns the new size of the copy in bytes; undefined when it is left as it is
 */
async function rewriteEnd(
  path: string,
  original: number,
  size: number,
  steady: SecretsBounds['steady'],
): Promise<number | undefined> {
  if (size === original) return size;
  if (!steady || size - original > STEADY_LIMIT) return undefined;
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW);
  try {
    const appended = fill(fd, original, new Uint8Array(size - original));
    const wanted = await steady(appended, original);
    if (wanted === undefined) return undefined;
    // SAFETY: a private copy that nothing boots from.
    fs.ftruncateSync(fd, original);
    for (let done = 0; done < wanted.length; ) {
      done += fs.writeSync(fd, wanted, done, wanted.length - done, original + done);
    }
    return original + wanted.length;
  } finally {
    fs.closeSync(fd);
  }
}

/** A program, the copy it is given, and the root that both are below, if that is not the host's. */
interface Call {
  readonly program: string;
  readonly path: string;
  readonly root: string | undefined;
}

async function run(
  { program, path, root }: Call,
  { timeout, limit }: { timeout: number; limit: number },
): Promise<void> {
  const seen = path.slice(root?.length ?? 0);
  const argv = root === undefined ? [program, seen] : ['chroot', root, program, seen];
  const complaint = await runProgram(
    { argv, directory: dirname(path), environment: environment(dirname(seen)) },
    { timeout, watch: () => (sizeOf(path) > limit ? `it ${tooLarge(limit)}` : undefined) },
  );
  if (complaint !== undefined) throw failed(program, complaint.what, complaint.cause);
}

function environment(home: string): Record<string, string> {
  return { ...boundedEnvironment(process.env), TMPDIR: home };
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
