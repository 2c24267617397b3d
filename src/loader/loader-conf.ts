/** The text of systemd-boot's loader.conf, always exactly one disk sector long. */

import { type Line, lastValue, parseLines } from '../bls.ts';
import { base32, hash } from '../digest.ts';
import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';

/**
 * The size of the file in bytes: one sector. On FAT, only overwriting one sector in place is
 * atomic. So the file never grows or shrinks, and blanks in its first comment fill the rest: four
 * hundred empty lines scrolled the settings away.
 */
export const SECTOR = 512;

/** For whoever opens the file; the first to go when room is short. */
const WORDS = '# Written by espalier: settings are made in its configuration.';
/** Stands in the comment until the seal is known. */
const UNSEALED = '--------';
const COMMENT = `${WORDS} ${UNSEALED}`;
/** Keys that say what boots next: ours to write. */
const OURS: readonly string[] = ['default', 'preferred'];

/**
 * All other keys up to systemd 262 (loader.conf(5)). Older loaders ignore those they do not know.
 */
export const SETTINGS = [
  'timeout',
  'console-mode',
  'editor',
  'auto-entries',
  'auto-firmware',
  'auto-poweroff',
  'auto-reboot',
  'beep',
  'log-level',
  'random-seed-mode',
  'reboot-for-bitlocker',
  'reboot-on-error',
  'secure-boot-enroll',
  'secure-boot-enroll-action',
  'secure-boot-enroll-timeout-sec',
] as const;

/** Every key that systemd-boot reads. */
export const KNOWN_KEYS: readonly string[] = [...OURS, ...SETTINGS];

/** Tells whether systemd-boot reads a key; it passes over any other without a word. */
export function isKnownKey(key: string): boolean {
  return KNOWN_KEYS.includes(key);
}

/** Returns the settings in a loader.conf, in order (loader.conf(5)). */
export function parseLoaderConf(text: string): Line[] {
  return parseLines(text);
}

/** What boots next: a pattern of the ID of an entry, and one for what boots in its place once that is bad. */
export interface BootsNext {
  readonly id: string;
  readonly fallback?: string;
}

/** Returns which entry a loader.conf says boots next, as a pattern. */
export function namedNext(settings: readonly Line[]): string | undefined {
  return lastValue(settings, 'preferred') ?? lastValue(settings, 'default');
}

/**
 * Returns a loader.conf of exactly {@link SECTOR} bytes: first what boots next, then the settings
 * except `default` and `preferred`. When nothing is given to boot next, the settings stay as they
 * are.
 * @throws {CONFIG_INVALID} when a setting cannot be written on a line, or when they do not fit
 */
export function formatLoaderConf(
  settings: readonly Line[],
  next: BootsNext | undefined,
): Uint8Array {
  const lines = linesOf(settings, next);
  const text = lines.map(formatLine).join('');
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > SECTOR) {
    throw new EspError(
      'CONFIG_INVALID',
      `loader.conf: expected at most ${SECTOR} bytes, got ${bytes.length} in ${counted(lines.length, 'line')}`,
      { hint: 'remove loader settings that repeat what systemd-boot does anyway' },
    );
  }
  return new TextEncoder().encode(sealed(filled(text, SECTOR - bytes.length)));
}

/**
 * Tells whether every byte of a file is as we wrote it, as far as its own seal tells. Undefined where
 * there is no seal: there was no room for it, or an older version wrote the file.
 */
export function isSealed(text: string): boolean | undefined {
  const [first = ''] = text.split('\n', 1);
  if (!first.startsWith('#') || first === WORDS) return undefined;
  return sealed(COMMENT + text.slice(COMMENT.length)) === text;
}

/** The seal is over the whole sector, so that a flipped bit anywhere is noticed. */
function sealed(text: string): string {
  return text.startsWith(COMMENT) ? `${WORDS} ${sealOf(text)}${text.slice(COMMENT.length)}` : text;
}

function sealOf(text: string): string {
  return base32(hash(text)).slice(0, UNSEALED.length);
}

/** Puts a comment of so many bytes above the text; behind it, where there is no room for its words. */
function filled(text: string, size: number): string {
  const line = (words: string) => (size < 2 ? '\n'.repeat(size) : `${words.padEnd(size - 1)}\n`);
  return size > COMMENT.length ? line(COMMENT) + text : text + line('#');
}

/**
 * The settings of a loader.conf on an ESP: those that can be rewritten, and the keys of the others.
 */
export interface Salvage {
  readonly kept: readonly Line[];
  readonly lost: readonly string[];
}

/**
 * Returns which settings of a loader.conf on an ESP can be rewritten beside the given entry. A
 * damaged or a long foreign file must not stop a run. Of a key that occurs more than once the last
 * line counts, as for systemd-boot.
 */
export function salvageSettings(found: readonly Line[], next: BootsNext): Salvage {
  const kept: Line[] = [];
  const lost: string[] = [];
  for (const line of new Map(found.filter(([key]) => !OURS.includes(key)))) {
    if (isWritable(...line) && fits([...kept, line], next)) kept.push(line);
    else lost.push(line[0]);
  }
  return { kept, lost };
}

/** Keys consist of small letters (loader.conf(5)). Anything else is a fragment of another file. */
function isWritable(key: string, value: string): boolean {
  return /^[a-z][a-z-]*$/.test(key) && !/[\p{Cc}\ufffd]/u.test(value) && value.isWellFormed();
}

function fits(settings: readonly Line[], next: BootsNext): boolean {
  const text = linesOf(settings, next).map(formatLine).join('');
  return new TextEncoder().encode(text).length <= SECTOR;
}

function linesOf(settings: readonly Line[], next: BootsNext | undefined): readonly Line[] {
  if (next === undefined) return settings;
  const { id, fallback } = next;
  const ours: readonly Line[] =
    fallback === undefined
      ? [['default', id]]
      : [
          ['preferred', id],
          ['default', fallback],
        ];
  return [...ours, ...settings.filter(([key]) => !OURS.includes(key))];
}

/** Returns whether a file has the one size that may be overwritten in place. */
export function isSector(bytes: Uint8Array): boolean {
  return bytes.length === SECTOR;
}

/** Tells the kept file from a leftover temporary file with the same settings. */
const KEPT = '# what loader.conf is to become\n';

/** Returns the text that is kept beside a loader.conf while the new text replaces it. */
export function formatKept(loaderConf: string): string {
  return KEPT + loaderConf;
}

/** Returns the text that was kept, or undefined when it is incomplete. */
export function parseKept(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes);
  return text.startsWith(KEPT) && isSector(bytes.subarray(KEPT.length))
    ? text.slice(KEPT.length)
    : undefined;
}

function formatLine([key, value]: Line): string {
  if (!/^[^#\s\p{Cc}][^\s\p{Cc}]*$/u.test(key) || !key.isWellFormed()) {
    throw unwritable(key, 'a name without blanks, control characters or a leading #', key);
  }
  if (value === '' || /\p{Cc}/u.test(value) || !value.isWellFormed()) {
    throw unwritable(key, 'a value on one line, without control characters', value);
  }
  return `${key} ${quoted(value)}\n`;
}

/**
 * systemd-boot trims blanks and then removes one pair of equal quotes. So a value that would lose
 * either gets an extra pair. There is no escaping, and none is needed.
 */
function quoted(value: string): string {
  const loses = value !== value.trim() || /^(["']).*\1$/.test(value);
  return loses ? `"${value}"` : value;
}

function unwritable(key: string, expected: string, got: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `loader.conf ${JSON.stringify(key)}: expected ${expected}, got ${JSON.stringify(got)}`,
    { hint: 'correct this line of the loader settings' },
  );
}
