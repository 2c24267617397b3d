/** The reasons that stop a confinement, and the error code of each. */
import { EspError } from '../error.ts';

/** Refuses a unit whose confined form would not do what the unit says, or would not run. */
export function refused(message: string, hint: string): EspError {
  return new EspError('UNIT_REFUSED', message, { hint });
}

/** The unit does not exist, or breaks the syntax of systemd.syntax(7). */
export function badUnit(message: string, hint?: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}

/** The executable is neither ELF nor script, or is damaged. */
export function badExecutable(message: string): EspError {
  return new EspError('ELF_MALFORMED', message);
}

/** Something that the service needs does not exist on this system. */
export function absent(message: string, hint?: string): EspError {
  return new EspError('FILE_MISSING', message, { hint });
}

/** Returns whether an error means that a file is no program, or lacks something that it needs. */
export function isUnusable(error: unknown): boolean {
  return error instanceof EspError && ['ELF_MALFORMED', 'FILE_MISSING'].includes(error.code);
}

/** The store did not answer with the closure. */
export function storeFailed(message: string, hint: string, cause?: unknown): EspError {
  return new EspError('IO', message, { hint, cause });
}
