/** The os-release text in `.osrel`: systemd-boot shows, sorts and compares images by it. */
import { parseLines } from '../bls.ts';

/** Fields in the order of their lines. */
export type OsRelease = readonly (readonly [key: string, value: string])[];

const KEY = /^[A-Za-z0-9_]+$/;
const NEEDS_NO_QUOTES = /^[A-Za-z0-9._:/+@%^~-]+$/;

/**
 * systemd-boot removes a pair of quotes and knows no escapes, while other readers expand escapes.
 * So characters that they read differently are replaced by ones that they read alike.
 */
const substitutes: Readonly<Record<string, string>> = { '"': "'", '`': "'", '\\': '/', $: '_' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
const UNSAFE = /["`\\$\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * Returns os-release text (os-release(5)). No value can end its line or start another one:
 * characters that readers disagree on are replaced, and control characters become blanks. Empty
 * values are left out, because systemd-boot ignores them too.
 * @throws {RangeError} when a key is not made of letters, digits and underscores
 */
export function formatOsRelease(fields: OsRelease): string {
  return fields.map(([key, value]) => line(key, representable(value))).join('');
}

function line(key: string, value: string): string {
  if (!KEY.test(key)) throw new RangeError(`"key" expected letters, digits and _, got ${key}`);
  if (value === '') return '';
  return NEEDS_NO_QUOTES.test(value) ? `${key}=${value}\n` : `${key}="${value}"\n`;
}

/** Returns a value as it reads back from os-release text. */
export function representable(value: string): string {
  return value.toWellFormed().replace(UNSAFE, (character) => substitutes[character] ?? ' ');
}

/** Parses os-release text as systemd-boot does. Lines that are no assignment are skipped. */
export function parseOsRelease(text: string): OsRelease {
  return parseLines(text, '=').filter(([key]) => KEY.test(key));
}

/** Returns a generation's `.osrel`, with the fields and the wording of lanzaboote. */
export function entryOsRelease(entry: {
  readonly sortKey: string;
  readonly label: string;
  readonly versionTag: string;
}): string {
  return formatOsRelease([
    ['ID', entry.sortKey],
    ['PRETTY_NAME', `${entry.label} (${entry.versionTag})`],
    ['VERSION_ID', entry.versionTag],
  ]);
}
