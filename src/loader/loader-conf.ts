/** The text of systemd-boot's loader.conf, kept at exactly one disk sector. */
import { type Line, lastValue, parseLines } from '../bls.ts';
import { EspError } from '../error.ts';

/**
 * The size of the file in bytes: one sector. Overwriting one sector in place is the only change that
 * FAT makes as a whole, so the file never grows or shrinks, and spare room is blanks in its first comment:
 * four hundred empty lines scrolled the settings away from whoever looked at them.
 */
export const SECTOR = 512;

/** For whoever opens the file; the first to go when room is short. */
const COMMENT = '# Written by espalier: settings are made in its configuration.\n';
/** Keys that say what boots next: ours to write. */
const OURS: readonly string[] = ['default', 'preferred'];

/** The other keys, up to systemd 262 (loader.conf(5)). Older loaders pass over those they do not know. */
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

/** Returns the settings in a loader.conf, in order (loader.conf(5)). */
export function parseLoaderConf(text: string): Line[] {
  return parseLines(text);
}

/** What boots next: the ID of an entry, and a pattern for what boots in its place once that is bad. */
export interface BootsNext {
  readonly id: string;
  readonly fallback?: string;
}

/** Returns which entry a loader.conf says boots next: a pattern, of one that we wrote an ID. */
export function namedNext(settings: readonly Line[]): string | undefined {
  return lastValue(settings, 'preferred') ?? lastValue(settings, 'default');
}

/**
 * Returns a loader.conf of exactly {@link SECTOR} bytes: what boots next first, then the settings,
 * without any `default` or `preferred` among them; where nothing is said to boot next, the settings as
 * they are.
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
      `loader.conf: expected at most ${SECTOR} bytes, got ${bytes.length} in ${lines.length} lines`,
      { hint: 'remove loader settings that repeat what systemd-boot does anyway' },
    );
  }
  return new TextEncoder().encode(filled(text, SECTOR - bytes.length));
}

/** Puts a comment of so many bytes above the text; behind it, where there is no room for its words. */
function filled(text: string, size: number): string {
  const line = (words: string) => (size < 2 ? '\n'.repeat(size) : `${words.padEnd(size - 1)}\n`);
  return size >= COMMENT.length ? line(COMMENT.trimEnd()) + text : text + line('#');
}

/** Settings of a loader.conf on an ESP: what can be written again, and the keys of what cannot. */
export interface Salvage {
  readonly kept: readonly Line[];
  readonly lost: readonly string[];
}

/**
 * Sorts out which settings of a loader.conf found on an ESP can be written again beside the given
 * entry: damage there, or another's long file, must not stop a run. Of a key that stands there more
 * than once the last line counts, as it does for systemd-boot.
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

/** Settings have names of small letters (loader.conf(5)); anything else is a piece of another file. */
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

/** Tells whether a file has the one size that may be overwritten in place. */
export function isSector(bytes: Uint8Array): boolean {
  return bytes.length === SECTOR;
}

/** Tells the file from one of the same content, which may be what is left of a temporary one. */
const KEPT = '# what loader.conf is to become\n';

/** Returns what is kept beside a loader.conf that is being replaced, given the new text. */
export function formatKept(loaderConf: string): string {
  return KEPT + loaderConf;
}

/** Returns the text that was kept, or undefined when it is not whole. */
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
 * The reader trims blanks and then takes one pair of equal quotes away, so a value that would lose
 * something gets a pair to lose; there is no escaping, and none is needed.
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
