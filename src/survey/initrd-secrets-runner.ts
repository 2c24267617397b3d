/**
 * Runs a bootspec's `initrdSecrets` program without trusting that it ends, or that it appends
 * little.
 */

import { dirname, join } from 'node:path';
import type { Context } from '../context.ts';
import type { FileStat, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { InitrdSecrets, SecretInitrd, SecretsRunner } from '../generation/initrd-secrets.ts';
import { errno } from '../io-error.ts';
import { boundedEnvironment } from '../process/environment.ts';
import { isStale, MARK, processMark } from '../process/process-mark.ts';
import { exactSize } from '../quantity.ts';
import { steadyCopy } from './steady-copy.ts';

/** Bounds on a program. `timeout` in seconds, `growth` in bytes. */
export interface SecretsBounds {
  /** The longest time that it may run. */
  readonly timeout?: number;
  /** The most that it may append. */
  readonly growth?: number;
}

/** The disk with program, initrd and directory, and the machine that runs the program. */
type RunnerContext = Pick<Context, 'disk' | 'machine' | 'environment' | 'uid'>;

/**
 * Returns a function that appends secrets to a private copy of an initrd (RFC 0125 §Bootspec Format
 * v1). It runs the program with the copy's path as its only argument. The copy (mode 0600) lies in
 * a new directory (mode 0700) inside `directory`, which should be in memory. The caller removes it
 * with `remove`; after a rejection it is gone. Copies that killed processes left there are removed
 * first.
 *
 * The program gets PATH, HOME and LANG alone, so no PIN or token of the signer. Its TMPDIR is the
 * private directory. When it ends or exceeds a bound, it is killed with its process group. A daemon
 * that left the group escapes. The program of a system that is mounted below a root sees that root
 * alone (chroot(1)).
 * @throws {INITRD_SECRETS_FAILED} when the program cannot be run, fails, exceeds a bound, or
 * changes the initrd in another way than by appending
 * @throws {IO} when the initrd cannot be copied into `directory`
 */
export function secretsRunner(
  context: RunnerContext,
  { timeout = 60, growth = 1024 ** 3 }: SecretsBounds = {},
): SecretsRunner {
  return (secrets) => appendSecrets(secrets, context, { timeout, growth });
}

async function appendSecrets(
  { program, initrd, directory }: InitrdSecrets,
  context: RunnerContext,
  { timeout, growth }: Required<SecretsBounds>,
): Promise<SecretInitrd> {
  const { disk } = context;
  const home = await prepared(initrd, directory, async () => {
    removeLeftovers(directory, context);
    return disk.makeTemporary(directory, `espalier-secrets-${processMark()}-`);
  });
  const remove = (): void => disk.removeTemporary(home);
  try {
    const path = join(home, 'initrd');
    const original = await prepared(initrd, directory, async () => {
      await disk.copy(initrd, path);
      return sizeOf(path, disk);
    });
    const before = disk.linkStat(home);
    const limit = original + growth;
    await run({ program, path }, { timeout, limit }, context);
    requireSame(program, home, before, disk);
    const size = checkedSize(program, path, original, limit, disk);
    const steadied = await steadyCopy({ path, original, size }, context);
    return { path, ...(steadied ?? { size }), isSteady: steadied !== undefined, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

const HOME = new RegExp(`^espalier-secrets-(${MARK})-\\w{6}$`);

/**
 * Removes the private directories of dead processes. In a public directory, another user may have
 * made a directory or link with such a name.
 */
function removeLeftovers(directory: string, { disk, uid }: RunnerContext): void {
  for (const { name } of disk.list(directory) ?? []) {
    const mark = HOME.exec(name)?.[1];
    if (mark === undefined || !isStale(mark)) continue;
    const path = join(directory, name);
    const stat = disk.linkStat(path);
    if (stat?.kind === 'directory' && stat.uid === uid) disk.removeTemporary(path);
  }
}

/**
 * `directory` is not on the ESP, so the hints of ESP errors would mislead when it is full or
 * read-only.
 */
async function prepared<T>(initrd: string, directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof EspError)) throw cause;
    const reason = errno(cause.cause) ?? cause.message;
    throw new EspError('IO', `cannot copy ${initrd} into ${directory}: ${reason}`, { cause });
  }
}

/** A link in the place of the directory would lead us, and what we write, to files of others. */
function requireSame(
  program: string,
  home: string,
  before: FileStat | undefined,
  disk: WritableDisk,
): void {
  const stat = disk.linkStat(home);
  const isSame = stat?.inode === before?.inode && stat?.device === before?.device;
  if (stat?.kind === 'directory' && isSame) return;
  throw failed(program, 'replaced the directory that its copy of the initrd lies in');
}

/** The program may have replaced the copy by a link, which would lead to other files. */
function checkedSize(
  program: string,
  path: string,
  original: number,
  limit: number,
  disk: WritableDisk,
): number {
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file') throw failed(program, 'expected it to leave a regular file, got none');
  const { size } = stat;
  if (size > limit) throw failed(program, tooLarge(limit));
  if (size < original) {
    throw failed(program, `expected it to append to ${original} bytes, got only ${size}`);
  }
  return size;
}

/** A program, and the copy that it gets. */
interface Call {
  readonly program: string;
  readonly path: string;
}

async function run(
  { program, path }: Call,
  { timeout, limit }: { timeout: number; limit: number },
  { disk, machine, environment }: RunnerContext,
): Promise<void> {
  const [root, directory] = [disk.hostPath('/'), disk.hostPath(dirname(path))];
  if (root === undefined || directory === undefined) {
    throw failed(program, 'cannot be run: its disk is no part of the running system');
  }
  const argv = root === '/' ? [program, path] : ['chroot', root, program, path];
  const complaint = await machine.run(
    { argv, directory, environment: { ...boundedEnvironment(environment), TMPDIR: dirname(path) } },
    { timeout, watch: () => (sizeOf(path, disk) > limit ? `it ${tooLarge(limit)}` : undefined) },
  );
  if (complaint !== undefined) throw failed(program, complaint.what, complaint.cause);
}

function sizeOf(path: string, disk: WritableDisk): number {
  return disk.linkStat(path)?.size ?? 0;
}

function tooLarge(limit: number): string {
  return `made the initrd larger than ${exactSize(limit)}`;
}

function failed(program: string, what: string, cause?: unknown): EspError {
  return new EspError('INITRD_SECRETS_FAILED', `initrd secrets program ${program} ${what}`, {
    hint: 'run it by hand on a copy of the initrd, and see whether the secrets it reads are there',
    cause,
  });
}
