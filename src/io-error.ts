/** What the kernel's error numbers mean to us: which are an absence, and which code the others get. */

import { type ErrorCode, EspError } from './error.ts';
import { exactSize } from './quantity.ts';

/** Error numbers that mean "nothing is there"; a name with NUL or too long names nothing either. */
const ABSENT = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ERR_INVALID_ARG_VALUE', // how node refuses a path that holds a NUL
]);

const CODES: Readonly<Record<string, readonly [code: ErrorCode, hint: string]>> = {
  EROFS: [
    'ESP_READ_ONLY',
    'it is mounted read-only, as the kernel does with a damaged FAT: look at dmesg, run fsck.fat, mount it for writing',
  ],
  ENOSPC: [
    'ESP_FULL',
    'free some of that file system; of an ESP, `espalier list` shows what holds the space, and `espalier gc` frees it',
  ],
  EDQUOT: ['ESP_FULL', 'the quota of this user is used up'],
  EACCES: ['IO', 'run as root, or as a user who may do this'],
  EPERM: ['IO', 'run as root, or as a user who may do this'],
  ENOENT: ['IO', 'what it should lie in is not there: make that directory, or correct the path'],
  ENOTDIR: ['IO', 'something above it is no directory: correct the path'],
  ELOOP: ['IO', 'a link on the way leads back to itself: correct it'],
  EFBIG: ['IO', 'the file system there holds no file of this size: take another one'],
  EMFILE: ['IO', 'too many files are open: raise the limit with ulimit -n'],
  ENXIO: ['IO', 'the device is gone: attach it again'],
  ENODEV: ['IO', 'the device is gone: attach it again'],
  ESRCH: ['IO', 'there is no such process any more: name one that runs'],
  EIO: ['IO', 'the disk fails, or was taken away: look at dmesg'],
  EISDIR: ['IO', 'a directory is in the place of a file: move it away'],
  EEXIST: ['IO', 'something else has that name: see what it is, and move it away'],
  EBUSY: ['IO', 'another program uses it: end that program, and run again'],
};

/** Returns the name of the kernel's error number, or undefined for any other error. */
export function errno(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** Tells whether an error says that a path leads nowhere. */
export function isAbsent(error: unknown): boolean {
  return ABSENT.has(errno(error) ?? '');
}

/** Returns the error for a path that leads nowhere. */
export function missing(path: string, error: unknown): EspError {
  return new EspError('FILE_MISSING', `${path} does not exist`, {
    cause: error,
    hint: 'look at how the path is spelt',
  });
}

/**
 * Returns the error for an operation that failed; one that is an {@link EspError} already stays.
 * @throws the error itself when it is not the kernel's: a bug must not pass for a bad disk
 */
export function ioError(operation: string, path: string, error: unknown): EspError {
  if (error instanceof EspError) return error;
  const number = errno(error);
  if (number === undefined) throw error;
  const [code, hint] = CODES[number] ?? ['IO', undefined];
  const message = `cannot ${operation} ${path}: ${number}`;
  return new EspError(code, message, { cause: error, ...(hint !== undefined && { hint }) });
}

/** Runs an operation and translates what it throws. */
export function translated<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw ioError(operation, path, error);
  }
}

/** Runs an operation that finds nothing when the path leads nowhere. */
export function optional<T>(operation: string, path: string, run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw ioError(operation, path, error);
  }
}

/** Returns the error for a write that took fewer bytes than it was given. */
export function shortWrite(path: string, expected: number, got: number): EspError {
  return new EspError(
    'SHORT_WRITE',
    `${path}: expected to write ${exactSize(expected)}, got ${exactSize(got)}`,
    {
      hint: 'see whether it is full, or its disk is failing; then run it again',
    },
  );
}

/** Returns the error for a small file that reads back as something else than was written. */
export function notHeld(path: string): EspError {
  return new EspError('READ_BACK_MISMATCH', `${path} does not hold the text just written to it`, {
    hint: 'its disk may be failing: look at dmesg, then run it again',
  });
}
