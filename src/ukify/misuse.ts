/** Errors of whoever wrote the command line of `uki build`. */
import type { EspError } from '../error.ts';
import { misuse as misuseOf } from '../settings/flags.ts';

/** Returns the error for a wrong command line. */
export function misuse(message: string): EspError {
  return misuseOf(message, 'uki build');
}
