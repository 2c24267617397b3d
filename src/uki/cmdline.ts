/** Kernel command lines of generations, and those that a person wrote. */
import { EspError } from '../error.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Returns whether a command line boots the system at a path: its `init` lies below that path. */
export function bootsSystem(cmdline: string | undefined, system: string): boolean {
  return ` ${cmdline} `.includes(` init=${system}/`);
}

/**
 * Returns the command line of a bootspec: its `init`, then its parameters unchanged (RFC 0125).
 * @throws {BOOTSPEC_MALFORMED} when `init` holds a blank, or anything holds a control character, at
 * which some readers end the line and others do not
 */
export function formatCmdline(init: string, kernelParams: readonly string[]): string {
  if (init === '' || init.includes(' ') || CONTROL.test(init))
    throw malformed('init', 'a path without blanks and control characters', init);
  const bad = kernelParams.findIndex((parameter) => CONTROL.test(parameter));
  if (bad >= 0)
    throw malformed(`kernelParams[${bad}]`, 'no control character', kernelParams[bad] ?? '');
  return [`init=${init}`, ...kernelParams].join(' ');
}

/** Returns a command line as ukify takes it from an option: with single blanks between words. */
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
