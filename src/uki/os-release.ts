/** os-release text for `.osrel`: what systemd-boot shows, sorts and compares an image by. */
import { parseLines } from '../bls.ts';

/** Fields in the order of their lines. */
export type OsRelease = readonly (readonly [key: string, value: string])[];

const KEY = /^[A-Za-z0-9_]+$/;
const NEEDS_NO_QUOTES = /^[A-Za-z0-9._:/+@%^~-]+$/;

/**
 * systemd-boot removes a pair of quotes and knows no escapes, while other readers expand them: what
 * the two would read differently is replaced by what both read the same.
 */
const substitutes: Readonly<Record<string, string>> = { '"': "'", '`': "'", '\\': '/', $: '_' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
const UNSAFE = /["`\\$\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * Returns os-release text (os-release(5)). No value can end its line or start another: characters
 * that readers disagree on are replaced, control characters by blanks. Empty values are left out,
 * as systemd-boot does not see them either.
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

/** Returns what of a value survives in os-release text. */
export function representable(value: string): string {
  return value.toWellFormed().replace(UNSAFE, (character) => substitutes[character] ?? ' ');
}

/** Reads os-release text as systemd-boot does; lines that are no assignment are skipped. */
export function parseOsRelease(text: string): OsRelease {
  return parseLines(text, '=').filter(([key]) => KEY.test(key));
}

/** Returns the `.osrel` of a generation: the fields and wording that lanzaboote gives its entries. */
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
