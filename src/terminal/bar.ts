/** How something is divided, as a bar. Pure. */
import type { Meaning, Part } from '../process/styled-text.ts';

/** One part of the whole, as it is drawn. */
export interface Share {
  /** Of any unit, the same for all. */
  readonly amount: number;
  /** One column wide. */
  readonly glyph: string;
  readonly meaning?: Meaning;
}

/**
 * Returns a bar of so many columns. Each share has the columns that are nearest to its amount; what is
 * not nothing has at least one.
 */
export function bar(shares: readonly Share[], columns: number): readonly Part[] {
  const widths = columnsOf(
    shares.map(({ amount }) => amount),
    columns,
  );
  return shares.map(({ glyph, meaning }, index) => {
    const text = glyph.repeat(widths[index] ?? 0);
    return meaning === undefined ? text : { text, meaning };
  });
}

/** Divides columns by largest remainder. What a small amount gets too much the widest share lacks. */
function columnsOf(amounts: readonly number[], columns: number): readonly number[] {
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  if (total <= 0) return amounts.map(() => 0);
  const exact = amounts.map((amount) => (amount / total) * columns);
  const widths = exact.map((width) => (width > 0 ? Math.max(1, Math.floor(width)) : 0));
  const byRemainder = exact
    .map((width, index) => ({ index, remainder: width - Math.max(1, Math.floor(width)) }))
    .filter(({ index }) => (exact[index] ?? 0) > 0)
    .sort((a, b) => b.remainder - a.remainder);
  let left = columns - widths.reduce((sum, width) => sum + width, 0);
  for (const { index } of byRemainder) if (left-- > 0) widths[index] = (widths[index] ?? 0) + 1;
  const widest = widths.indexOf(Math.max(...widths));
  const excess = widths.reduce((sum, width) => sum + width, 0) - columns;
  widths[widest] = Math.max(1, (widths[widest] ?? 0) - Math.max(0, excess));
  return widths;
}
