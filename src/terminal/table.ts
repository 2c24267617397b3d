/** Formats text for a terminal in columns. */

import stringWidth from 'string-width';
import { type Part, partsOf, plain, type Text } from '../process/styled-text.ts';

/** Returns rows under a head. Each column is as wide as its widest cell; the last is not padded. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return plain(styledTable(head, rows));
}

/** Returns rows under a head as {@link formatTable} does, with what their cells mean. */
export function styledTable(
  head: readonly Text[],
  rows: readonly (readonly Text[])[],
): readonly Part[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  return joined(
    all.map((row) => {
      const last = row.findLastIndex((cell) => plain(cell) !== '');
      return row.slice(0, last + 1).flatMap((cell, column) => {
        const gap = column === last ? 0 : (widths[column] ?? 0) - widthOf(cell) + 2;
        return [...partsOf(cell), ' '.repeat(gap)];
      });
    }),
    '\n',
  );
}

/** Returns texts as one, with something between each two. */
export function joined(texts: readonly Text[], between: string): readonly Part[] {
  return texts.flatMap((text, index) => [...(index > 0 ? [between] : []), ...partsOf(text)]);
}

/** Returns how many columns of a terminal the widest line of a text fills. */
export function widthOf(text: Text): number {
  return Math.max(
    ...plain(text)
      .split('\n')
      .map((line) => stringWidth(line)),
  );
}

/** Returns text that fills no more columns of a terminal than these; an ellipsis stands for the rest. */
export function cut(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let shown = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(`${shown}${segment}…`) > columns) break;
    shown += segment;
  }
  return `${shown}…`;
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
    if (lines.length > 0 && stringWidth(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.map((line) => line.replaceAll(HARD_BLANK, ' ').trimEnd());
}

/** Digests in base32, as file names and store paths have them. */
const DIGEST = /[0-9a-z]{32,}/g;

/** Returns a path or ID with its digests cut short, unless it fits so many columns. */
export function shortened(path: string, columns: number): string {
  if (stringWidth(path) <= columns) return path;
  return path.replace(DIGEST, (digest) => `${digest.slice(0, 8)}…`);
}
