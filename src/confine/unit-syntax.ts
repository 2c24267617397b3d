/** The text of unit files: lines, sections and assignments as systemd.syntax(7) has them. */

/** One line `key=value`, its continuation lines joined. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  readonly value: string;
}

/**
 * Returns every assignment of a unit file in order. As systemd does, passes over what is no
 * assignment, and what stands before the first section.
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
  let pending = '';
  for (const raw of text.replace(/^\uFEFF/, '').split(/[\n\0]/)) {
    const line = raw.replace(/^[ \t\r]+/, '').replace(/\r$/, '');
    if (/^[#;]/.test(line)) continue;
    const joined = pending + line;
    const continued = endsEscaped(joined);
    pending = continued ? `${joined.slice(0, -1)} ` : '';
    if (!continued) lines.push(trim(joined));
  }
  if (pending !== '') lines.push(trim(pending));
  return lines;
}

/** A backslash that is itself escaped does not continue the line. */
function endsEscaped(line: string): boolean {
  return (/\\*$/.exec(line)?.[0].length ?? 0) % 2 === 1;
}

function trim(text: string): string {
  return text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
}

/** What systemd takes for a boolean, or undefined for what it would pass over. */
export function parseBoolean(value: string): boolean | undefined {
  if (/^(1|y|yes|t|true|on)$/i.test(value)) return true;
  return /^(0|n|no|f|false|off)$/i.test(value) ? false : undefined;
}
