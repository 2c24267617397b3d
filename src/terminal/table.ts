/** Formats text for a terminal in columns. */

import stringWidth from 'string-width';
import { type Part, partsOf, plain, type Text } from '../process/styled-text.ts';
import { joined } from './lines.ts';

/** Returns rows under a head. Each column is as wide as its widest cell; the last is not padded. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly Text[])[],
): readonly Part[] {
  const all = [head.map((text): Text => ({ text, meaning: 'heading' })), ...rows];
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
