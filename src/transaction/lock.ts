/**
 * One writer per ESP: the kernel holds a lock for this process and drops it when the process ends.
 *
 * SQLite's exclusive transaction on an empty file is an fcntl(2) lock, the one kind Node can take
 * without a native module. A lock dies with its holder, so no lock is ever stale.
 */
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import type { WritableDisk } from '../disk/disk.ts';
import { isOurs } from '../disk/own-file.ts';
import { keepForOwner } from '../disk/owner-only.ts';
import { EspError } from '../error.ts';

/** What to lock, and for whom. */
export interface LockRequest {
  readonly disk: WritableDisk;
  /** Where lock files lie, see {@link lockDirectory}. */
  readonly directory: string;
  /** The ESP, by its device and inode in hexadecimal. */
  readonly key: string;
  /** What the other run is at work on, for the message (default: this ESP). */
  readonly on?: string;
  /** The verb that runs under the lock. Whoever waits is told it. */
  readonly verb: string;
  /** In seconds; zero tries once. */
  readonly timeoutSeconds: number;
  /** Called once with the holder, when the lock is not free. */
  readonly onWait?: (holder: string) => void;
}

/** A held lock. Releasing it twice is no error. */
export interface Lock extends Disposable {
  release(): void;
}

/** Milliseconds between two tries. */
const POLL = 50;

/** Bytes of a holder's note. */
const NOTE_LIMIT = 200;

/** SQLite's primary result codes (SQLite, §Result and Error Codes). */
const SQLITE_BUSY = 5;
const SQLITE_NOTADB = 26;

/** Keeps each held database from the garbage collector, which would close it and drop its lock. */
const held = new Set<DatabaseSync>();

/**
 * Returns the directory for lock files: `/run/espalier` for root, else one of the user's own.
 * @param env the environment, for XDG_RUNTIME_DIR and TMPDIR
 */
export function lockDirectory(
  env: Readonly<Record<string, string | undefined>>,
  uid: number,
): string {
  if (uid === 0) return '/run/espalier';
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime?.startsWith('/')) return join(runtime, 'espalier');
  return join(env['TMPDIR'] || '/tmp', `espalier-${uid}`);
}

/**
 * Waits for the lock of one ESP and takes it.
 * @throws {LOCKED} when another process, or this one, still holds it after `timeoutSeconds`
 * @throws {IO} when the directory or the file in it cannot hold a lock, or others could tamper with it
 */
export async function acquireLock(request: LockRequest): Promise<Lock> {
  const { disk, directory, key } = request;
  const path = join(directory, `${key}.lock`);
  const note = join(directory, `${key}.holder`);
  await prepare(disk, directory, path);
  const { DatabaseSync } = await import('node:sqlite');
  const deadline = performance.now() + request.timeoutSeconds * 1000;
  let waiting = false;
  for (;;) {
    const database = tryLock(() => new DatabaseSync(path), path);
    if (database !== undefined) {
      await leaveNote(disk, note, request.verb);
      return lockOf(database, () => withdrawNote(disk, note));
    }
    const left = deadline - performance.now();
    if (left <= 0) throw lockedError(request, readNote(disk, note));
    if (!waiting) request.onWait?.(readNote(disk, note));
    waiting = true;
    await setTimeout(Math.min(POLL, left));
  }
}

function lockOf(database: DatabaseSync, beforeRelease: () => void): Lock {
  held.add(database);
  const release = (): void => {
    if (!held.delete(database)) return;
    // The note goes first: once the lock is released, the note may be the next holder's.
    beforeRelease();
    database.close();
  };
  return { release, [Symbol.dispose]: release };
}

/**
 * Makes the directory and the file. Refuses those that other users could place or replace. Whoever can
 * read the file can take a lock on it and keep ours waiting, so both are for their owner alone.
 */
async function prepare(disk: WritableDisk, directory: string, path: string): Promise<void> {
  try {
    disk.makeDirectory(directory);
  } catch (cause) {
    // This directory is not on the ESP, so the hints for ESP errors would mislead.
    if (!(cause instanceof EspError)) throw cause;
    throw new EspError('IO', `cannot make ${directory}, where locks lie`, { cause, hint: ROOM });
  }
  const stat = disk.linkStat(directory);
  if (stat?.kind !== 'directory' || !isOurs(stat)) {
    throw new EspError('IO', `${directory}: expected a directory that only this user can write`, {
      hint: 'someone else made it, or it is a link; remove it',
    });
  }
  if ((stat.mode & OTHERS) !== 0) keepForOwner(directory);
  const file = disk.linkStat(path);
  if (file === undefined) await makeLockFile(disk, path);
  if (file !== undefined && (file.kind !== 'file' || !isOurs(file))) {
    throw new EspError('IO', `${path}: expected a lock file of this user, got something else`, {
      hint: 'remove it; a lock file holds nothing',
    });
  }
  if (file !== undefined && (file.mode & OTHERS) !== 0) keepForOwner(path);
}

/** SQLite would make it as the umask says, which for a hook lets everyone read. */
async function makeLockFile(disk: WritableDisk, path: string): Promise<void> {
  try {
    await (await disk.create(path)).abandon();
  } catch (error) {
    // Another run may have made it meanwhile; what else is wrong is told by whoever opens it.
    if (!(error instanceof EspError)) throw error;
  }
}

const OTHERS = 0o077;

const ROOM = 'see whether the directory can be written and has room';

/** Returns the database whose open transaction is the lock, or undefined while another holds it. */
function tryLock(open: () => DatabaseSync, path: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = open();
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database?.close();
    const code = sqliteCode(error);
    if (code === SQLITE_BUSY) return undefined;
    const hint =
      code === SQLITE_NOTADB ? 'something else wrote to it; a lock file is empty: remove it' : ROOM;
    throw new EspError('IO', `cannot lock ${path}`, { cause: error, hint });
  }
}

/** Returns SQLite's primary result code: the low byte of the extended one. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error && 'errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined;
}

/** Writes the note for people. No decision depends on it, so it need not be durable. */
async function leaveNote(disk: WritableDisk, note: string, verb: string): Promise<void> {
  const text = `${verb}, process ${process.pid}, since ${new Date().toISOString()}\n`;
  try {
    disk.remove(note);
    const file = await disk.create(note);
    await file.write(new TextEncoder().encode(text)).finally(() => file.abandon());
  } catch (error) {
    // The lock is held without the note. Whoever waits does not learn the holder's name.
    if (!(error instanceof EspError)) throw error;
  }
}

function withdrawNote(disk: WritableDisk, note: string): void {
  try {
    disk.remove(note);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
  }
}

/** Returns the holder's note about itself, or a text that says it is unknown. */
function readNote(disk: WritableDisk, note: string): string {
  try {
    const text = new TextDecoder().decode(disk.read(note, NOTE_LIMIT));
    return text.replace(/[^ -~]/g, '').trim() || UNKNOWN;
  } catch (error) {
    if (error instanceof EspError) return UNKNOWN;
    throw error;
  }
}

const UNKNOWN = 'a process that left no note';

function lockedError(
  { directory, on = 'this ESP', timeoutSeconds }: LockRequest,
  holder: string,
): EspError {
  const message = `another run of espalier is at work on ${on} (${holder}); waited ${timeoutSeconds} s`;
  return new EspError('LOCKED', message, {
    hint: `wait for it, or end it: its lock in ${directory} ends with the process. The name is its own note and may be out of date`,
  });
}
