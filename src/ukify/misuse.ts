/** Errors of whoever wrote the command line of `uki build`. */
import type { EspError } from '../error.ts';
import { misuse as misuseOf } from '../settings/flags.ts';

/** Returns the error for a wrong command line. */
export function misuse(message: string): EspError {
  return misuseOf(message, 'uki build');
}

/** Returns the error for a private key where the image would show it. */
export function secretIn(flag: string): EspError {
  return misuse(`--${flag}: got a private key, which everyone could read in the image`);
}
