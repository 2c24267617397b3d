/**
 * Text in lines as wide as a terminal. It stands apart from tables: what knows the exact width of every
 * character takes a fifth of a short run to load.
 */
import { type Part, partsOf, type Text } from '../process/styled-text.ts';

/** Characters of which each fills one column: ASCII, and those that we draw and write with. */
const NARROW = /[ -~\u00a0’“”…→–·█▓▒░]/;

/** Returns the beginning of a text that fills no more columns than these: any other character may fill two. */
export function atMost(text: string, columns: number): string {
  let width = 0;
  let end = 0;
  for (const character of text) {
    width += NARROW.test(character) ? 1 : 2;
    if (width > columns) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function fits(line: string, columns: number): boolean {
  return line.length <= columns && atMost(line, columns) === line;
}

/** Returns texts as one, with something between each two. */
export function joined(texts: readonly Text[], between: string): readonly Part[] {
  return texts.flatMap((text, index) => [...(index > 0 ? [between] : []), ...partsOf(text)]);
}

/** A blank at which no line breaks. */
const HARD_BLANK = '\u00a0';

/** Returns text that {@link wrapped} keeps on one line. */
export function unbroken(text: string): string {
  return text.replaceAll(' ', HARD_BLANK);
}

/**
 * Returns text in lines of at most these columns, broken at blanks. A word that is longer stays whole:
 * a path or a command that is broken cannot be copied.
 */
export function wrapped(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && fits(longer, columns)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll(HARD_BLANK, ' ').trimEnd());
}

/** Returns text in lines as {@link wrapped} does, of which those behind the first are indented further. */
export function hanging(text: string, columns: number, indent = 0): readonly string[] {
  return wrapped(text, columns - indent - 2).map(
    (line, index) => `${' '.repeat(index === 0 ? indent : indent + 2)}${line}`,
  );
}

/** Digests in base32, as file names and store paths have them. */
const DIGEST = /[0-9a-z]{32,}/g;

/** Returns a path or ID with its digests cut short, unless it fits so many columns. */
export function shortened(path: string, columns: number): string {
  if (fits(path, columns)) return path;
  return path.replace(DIGEST, (digest) => `${digest.slice(0, 8)}…`);
}
