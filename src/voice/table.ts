/** Text for a terminal: in columns, and without what would steer it. */

/** Returns rows under a head, each column as wide as its widest cell; the last one is not padded. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(...all.map((cells) => cells[column]?.length ?? 0)),
  );
  return all
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/**
 * Returns text of others as it may be shown: titles, names and paths come from the ESP, where anyone
 * may have put codes that steer a terminal.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, '�').slice(0, 200);
}
