/** The line syntax shared by Type #1 entries, loader.conf, `.osrel` and `.profile` as systemd-boot reads it. */

/** One `key value` line. */
export type Line = readonly [key: string, value: string];

/** What lies behind so many lines is not read: no file of this kind comes near it. */
const MAX_LINES = 1000;

/**
 * Splits text into key and value as systemd-boot does (BLS §Type #1): lines end at LF or CR, blanks
 * around are trimmed, `#` starts a comment, a key without a value is skipped, a NUL ends the text,
 * and exactly one pair of equal outer quotes is removed.
 * @param separators the characters that may stand between key and value: blanks, or `=`
 */
export function parseLines(text: string, separators = ' \t'): Line[] {
  const end = text.indexOf('\0');
  const lines: Line[] = [];
  for (const raw of (end < 0 ? text : text.slice(0, end)).split(/[\n\r]/, MAX_LINES)) {
    const line = trimBlanks(raw);
    if (line === '' || line.startsWith('#')) continue;
    let split = 0;
    while (split < line.length && !separators.includes(line.charAt(split))) split++;
    let start = split;
    while (start < line.length && separators.includes(line.charAt(start))) start++;
    const value = unquote(line.slice(start));
    if (split > 0 && value !== '') lines.push([line.slice(0, split), value]);
  }
  return lines;
}

/** Removes one pair of equal quotes around a value; there are no escapes inside. */
function unquote(value: string): string {
  const quote = value.charAt(0);
  const quoted = value.length >= 2 && (quote === '"' || quote === "'") && value.at(-1) === quote;
  return quoted ? value.slice(1, -1) : value;
}

function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && ' \t'.includes(text.charAt(start))) start++;
  while (end > start && ' \t'.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Returns the last value of a key that is not repeatable: later lines override earlier ones. */
export function lastValue(lines: readonly Line[], key: string): string | undefined {
  return lines.findLast(([name]) => name === key)?.[1];
}
