/** Kernel command lines: that of a generation, and one that a person wrote. */
import { EspError } from '../error.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Tells whether a command line boots the system at a path: whether its `init` lies in that. */
export function bootsSystem(cmdline: string | undefined, system: string): boolean {
  return ` ${cmdline} `.includes(` init=${system}/`);
}

/**
 * Returns the command line of a bootspec: its `init`, then its parameters as they stand (RFC 0125).
 * @throws {BOOTSPEC_MALFORMED} when `init` holds a blank, or anything a control character, which
 * would end the line for one reader and not for another
 */
export function formatCmdline(init: string, kernelParams: readonly string[]): string {
  if (init === '' || init.includes(' ') || CONTROL.test(init))
    throw malformed('init', 'a path without blanks and control characters', init);
  const bad = kernelParams.findIndex((parameter) => CONTROL.test(parameter));
  if (bad >= 0)
    throw malformed(`kernelParams[${bad}]`, 'no control character', kernelParams[bad] ?? '');
  return [`init=${init}`, ...kernelParams].join(' ');
}

/** Returns a command line as ukify takes one from an option: single blanks between its words. */
export function collapseBlanks(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

function malformed(field: string, expected: string, got: string): EspError {
  return new EspError(
    'BOOTSPEC_MALFORMED',
    `${field}: expected ${expected}, got ${JSON.stringify(got)}`,
    { hint: 'correct boot.kernelParams, and rebuild the system' },
  );
}
