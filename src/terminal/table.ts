/** Formats text for a terminal in columns. */

import stringWidth from 'string-width';

/** Returns rows under a head. Each column is as wide as its widest cell; the last is not padded. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...all.map((cells) => stringWidth(cells[column] ?? ''))),
  );
  return all
    .map((cells) =>
      cells
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Returns how many columns of a terminal the widest line of a text fills. */
export function widthOf(text: string): number {
  return Math.max(...text.split('\n').map((line) => stringWidth(line)));
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
