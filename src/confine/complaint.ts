/** What can stop a confinement, and the one place that gives each reason its code. */
import { EspError } from '../error.ts';

/** The unit could be confined, but what came out would not be what it says or would not run. */
export function refused(message: string, hint: string): EspError {
  return new EspError('UNIT_REFUSED', message, { hint });
}

/** The unit is not there, or is not written as systemd.syntax(7) has it. */
export function badUnit(message: string, hint?: string): EspError {
  return new EspError('CONFIG_INVALID', message, hint === undefined ? {} : { hint });
}

/** An executable that is neither ELF nor script, or that is damaged. */
export function badExecutable(message: string): EspError {
  return new EspError('ELF_MALFORMED', message);
}

/** Something that the service needs to run is not on this system. */
export function absent(message: string, hint?: string): EspError {
  return new EspError('FILE_MISSING', message, hint === undefined ? {} : { hint });
}

/** Whether a file is no program, or misses something that it needs. */
export function isUnusable(error: unknown): boolean {
  return error instanceof EspError && ['ELF_MALFORMED', 'FILE_MISSING'].includes(error.code);
}

/** The store did not tell the closure. */
export function storeFailed(message: string, hint: string, cause?: unknown): EspError {
  return new EspError('IO', message, { hint, cause });
}
