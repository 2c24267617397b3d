/** Parses the dialect of INI in ukify's configuration file. */
import { EspError } from '../error.ts';

/** One assignment and its place. A value of several lines contains newlines. */
export interface Assignment {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** Line number, from 1. */
  readonly line: number;
}

/**
 * Parses INI as ukify does with Python's configparser. Names are case-sensitive, and `=` divides.
 * `#` begins a comment at the start of a line or behind white space. An indented line continues the
 * value above it; an empty line or a comment ends that value. Of several assignments to one key in
 * one section the last counts.
 * @throws {CONFIG_INVALID} naming a line that is none of these
 */
export function parseIni(text: string, name: string): readonly Assignment[] {
  const found = new Map<string, Assignment>();
  let section: string | undefined;
  let open: { readonly assignment: Assignment; readonly indent: number } | undefined;
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const content = withoutComment(raw).trim();
    const indent = raw.length - raw.trimStart().length;
    const header = /^\[(.+)\]/.exec(content)?.[1];
    if (content !== '' && open !== undefined && indent > open.indent) {
      const { assignment } = open;
      open = { indent: open.indent, assignment: continued(assignment, content) };
    } else if (content === '' || header !== undefined) {
      section = header ?? section;
      open = undefined;
    } else {
      const assignment = parseAssignment(content, section, { name, line: index + 1 });
      open = { indent, assignment };
    }
    if (open !== undefined) found.set(`${section}\0${open.assignment.key}`, open.assignment);
  }
  return [...found.values()];
}

function withoutComment(line: string): string {
  const start = /(^|\s)#/.exec(line);
  return start === null ? line : line.slice(0, start.index);
}

function continued(assignment: Assignment, more: string): Assignment {
  return { ...assignment, value: `${assignment.value}\n${more}` };
}

function parseAssignment(
  content: string,
  section: string | undefined,
  { name, line }: { readonly name: string; readonly line: number },
): Assignment {
  const where = `${name}:${line}`;
  if (section === undefined) throw mistaken(where, 'a [section] first', content);
  const [, key = '', value = ''] = /^([^=]*)=(.*)$/s.exec(content) ?? [];
  if (key.trim() === '') throw mistaken(where, 'KEY=VALUE or [section]', content);
  return { section, key: key.trim(), value: value.trim(), line };
}

function mistaken(where: string, expected: string, got: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `${where}: expected ${expected}, got ${JSON.stringify(got.slice(0, 64))}`,
  );
}
