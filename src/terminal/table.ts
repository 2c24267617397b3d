/** Formats text for a terminal: in columns, and without control codes. */

/** Returns rows under a head. Each column is as wide as its widest cell; the last is not padded. */
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
 * Returns foreign text in a form that is safe to show. Titles, names and paths come from the ESP,
 * where anyone may have put terminal control codes.
 */
export function printable(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, '�').slice(0, 200);
}
