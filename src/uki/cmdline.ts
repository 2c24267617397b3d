/** Kernel command lines of generations, and those that a person wrote. */
import { EspError } from '../error.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * The parameter by which the command line of an installed kernel names its system, as `init=` does for a
 * system of Nix. A name with a dot is a module's to the kernel, which passes it to nobody.
 */
export const SYSTEM_PARAMETER = 'espalier.system';

/** Returns whether a command line boots the system at a path: it names it, or its `init` lies below that path. */
export function bootsSystem(cmdline: string | undefined, system: string): boolean {
  const words = ` ${cmdline} `;
  return words.includes(` init=${system}/`) || words.includes(` ${SYSTEM_PARAMETER}=${system} `);
}

/**
 * Returns the command line of a bootspec: its `init`, if it has one, then its parameters unchanged
 * (RFC 0125).
 * @throws {BOOTSPEC_MALFORMED} when `init` holds a blank, or anything holds a control character, at
 * which some readers end the line and others do not
 */
export function formatCmdline(init: string | undefined, kernelParams: readonly string[]): string {
  if (init !== undefined && (init === '' || init.includes(' ') || CONTROL.test(init)))
    throw malformed('init', 'a path without blanks and control characters', init);
  const bad = kernelParams.findIndex((parameter) => CONTROL.test(parameter));
  if (bad >= 0)
    throw malformed(`kernelParams[${bad}]`, 'no control character', kernelParams[bad] ?? '');
  return [...(init === undefined ? [] : [`init=${init}`]), ...kernelParams].join(' ');
}

/** Returns a command line as ukify takes it from an option: with single blanks between words. */
export function collapseBlanks(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}

function malformed(field: string, expected: string, got: string): EspError {
  return new EspError(
    'BOOTSPEC_MALFORMED',
    `${field}: expected ${expected}, got ${JSON.stringify(got)}`,
    {
      hint: 'correct boot.kernelParams and rebuild the system, or /etc/kernel/cmdline and run `espalier kernel sync`',
    },
  );
}
