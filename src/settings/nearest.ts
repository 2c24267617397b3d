/** Finds the known word that a misspelt one most likely means. */

/**
 * Returns the candidate with the fewest changes from a word, or undefined when none is close. Close
 * means one change per three letters, but at least one. Of several, it takes the one with the
 * longest common beginning. Case is ignored.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const small = word.toLowerCase();
  const [best] = [...candidates]
    .filter(({ length }) => Math.abs(length - word.length) <= limit)
    .map((candidate) => ({
      candidate,
      changes: changesBetween(small, candidate.toLowerCase()),
      start: commonStart(small, candidate.toLowerCase()),
    }))
    .filter(({ changes }) => changes <= limit)
    .sort((a, b) => a.changes - b.changes || b.start - a.start);
  return best?.candidate;
}

/** Returns the number of equal letters at the beginning. */
function commonStart(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

/**
 * Returns the number of letters to insert, remove, replace or swap with their neighbour to turn one
 * word into the other (optimal string alignment).
 */
function changesBetween(one: string, other: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let line = 1; line <= one.length; line++) {
    const next = [line];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[line - 1] === other[column - 1];
      const isSwap = one[line - 1] === other[column - 2] && one[line - 2] === other[column - 1];
      next[column] = Math.min(
        at(row, column) + 1,
        at(next, column - 1) + 1,
        at(row, column - 1) + (isSame ? 0 : 1),
        isSwap ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    before = row;
    row = next;
  }
  return at(row, other.length);
}

/** A place outside the table is never the smallest. */
function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
