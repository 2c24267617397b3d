/** Compares versions (UAPI.10), as systemd-boot and bootctl do. */

/** How two versions relate: 1 when the first is newer, -1 when it is older, 0 when they are equal. */
export type Order = -1 | 0 | 1;

/**
 * Compares two versions (UAPI.10 §Version Format). Where the text and systemd's code disagree, this
 * follows the code, because the code orders the menu: no digits are less than `0`, so `1.a` is
 * older than `1.0`. A `-` suffix makes a version newer (`257-rc1`), and a `~` suffix older
 * (`257~rc1`).
 */
export function compareVersions(a: string, b: string): Order {
  const left = { text: a, at: 0 };
  const right = { text: b, at: 0 };
  for (;;) {
    const order = compareSegment(left, right);
    if (order !== 0) return order;
    if (isAtEnd(left) && isAtEnd(right)) return 0;
  }
}

/** A version, and how far it was compared. */
interface Cursor {
  readonly text: string;
  at: number;
}

/**
 * Compares the next part of both, and steps over equal parts. Numbers are those of the
 * specification.
 */
function compareSegment(left: Cursor, right: Cursor): Order {
  // 1. Characters that cannot be in a version are skipped.
  take(FOREIGN, left);
  take(FOREIGN, right);
  return (
    // 2. A pre-release is older than anything, even than the end.
    compareSeparator('~', left, right) ||
    // 3. When one ends, the other is newer.
    compareEnd(left, right) ||
    // 4., 5., 6. The one with the separator is older.
    compareSeparator('-', left, right) ||
    compareSeparator('^', left, right) ||
    compareSeparator('.', left, right) ||
    // 7., 8. A number if either has a digit here, else a word: capitals before small letters.
    (/[0-9]/.test(head(left) + head(right))
      ? compareNumbers(take(DIGITS, left), take(DIGITS, right))
      : compare(take(LETTERS, left), take(LETTERS, right)))
  );
}

const FOREIGN = /[^A-Za-z0-9~\-^.]*/y;
const DIGITS = /[0-9]*/y;
const LETTERS = /[A-Za-z]*/y;

/** Steps over the match of a sticky pattern, and returns the match. */
function take(pattern: RegExp, cursor: Cursor): string {
  pattern.lastIndex = cursor.at;
  const taken = pattern.exec(cursor.text)?.[0] ?? '';
  cursor.at += taken.length;
  return taken;
}

function head(cursor: Cursor): string {
  return cursor.text.charAt(cursor.at);
}

function isAtEnd(cursor: Cursor): boolean {
  return cursor.at >= cursor.text.length;
}

/** The one with the separator is older; when both have it, both step over it. */
function compareSeparator(separator: string, left: Cursor, right: Cursor): Order {
  const inLeft = head(left) === separator;
  const inRight = head(right) === separator;
  if (inLeft && inRight) {
    left.at++;
    right.at++;
  }
  return compare(Number(inRight), Number(inLeft));
}

function compareEnd(left: Cursor, right: Cursor): Order {
  return compare(Number(isAtEnd(right)), Number(isAtEnd(left)));
}

/** Compares digits of any length. Less is: no digits, then fewer digits, then smaller digits. */
function compareNumbers(a: string, b: string): Order {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return (
    compare(Math.min(a.length, 1), Math.min(b.length, 1)) ||
    compare(left.length, right.length) ||
    compare(left, right)
  );
}

function compare<T extends number | string>(a: T, b: T): Order {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
