/** Numbers from several runs, and how they are written. */

export const MIB = 2 ** 20;

/** The smallest, the middle and the largest of several numbers. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    min: at(0),
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    max: at(sorted.length - 1),
  };
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** Writes `0.512 (0.498–0.561)`. */
export function formatSpread({ min, median, max }: Spread, digits: number): string {
  const [low, middle, high] = [min, median, max].map((number) => number.toFixed(digits));
  return `${middle} (${low}–${high})`;
}

/** Writes bytes as MiB, with a digit behind the point where that says anything. */
export function formatMib(bytes: number): string {
  const mib = bytes / MIB;
  return mib.toFixed(mib < 10 ? 1 : 0);
}
