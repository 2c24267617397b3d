/** Parses the text of unit files into assignments (systemd.syntax(7)). */

/** One line `key=value`, its continuation lines joined. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/**
 * Returns every assignment of a unit file in order. As systemd does, it ignores lines that are no
 * assignment, and everything before the first section.
 */
export function parseUnit(text: string): Assignment[] {
  const found: Assignment[] = [];
  let section = '';
  for (const line of logicalLines(text)) {
    const header = /^\[(.*)\]$/.exec(line);
    const at = line.indexOf('=');
    if (header) section = header[1] ?? '';
    else if (at > 0 && section !== '') {
      found.push({ section, key: trim(line.slice(0, at)), value: trim(line.slice(at + 1)) });
    }
  }
  return found;
}

/** Joins continued lines with a space, and drops comments: also those between continued lines. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let pending: string[] = [];
  for (const raw of text.replace(/^\uFEFF/, '').split(/[\n\0]/)) {
    const line = raw.replace(/^[ \t\r]+/, '').replace(/\r$/, '');
    if (/^[#;]/.test(line)) continue;
    const continued = endsEscaped(line);
    pending.push(continued ? `${line.slice(0, -1)} ` : line);
    if (continued) continue;
    lines.push(trim(pending.join('')));
    pending = [];
  }
  if (pending.length > 0) lines.push(trim(pending.join('')));
  return lines;
}

/** A backslash that is itself escaped does not continue the line. */
function endsEscaped(line: string): boolean {
  let end = line.length;
  while (line[end - 1] === '\\') end--;
  return (line.length - end) % 2 === 1;
}

// A regular expression for the blanks at the end would be tried at every blank of a long line.
function trim(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANKS.includes(text.charAt(start))) start++;
  while (end > start && BLANKS.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

const BLANKS = ' \t\r\n';

/** Returns the boolean that systemd reads, or undefined for a value that it ignores. */
export function parseBoolean(value: string): boolean | undefined {
  if (/^(1|y|yes|t|true|on)$/i.test(value)) return true;
  return /^(0|n|no|f|false|off)$/i.test(value) ? false : undefined;
}
