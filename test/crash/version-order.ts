/** The order of versions in a boot menu (UAPI.10), written from the specification for this lab alone. */

/** What is left of two versions. */
type Rest = readonly [string, string];
/** Decides the order, or returns what is left to be compared. */
type Rule = (rest: Rest) => number | Rest;

const INVALID = /[^A-Za-z0-9~\-^.]+/g;

/** The rules in the order in which they are asked, over and over. */
const RULES: readonly Rule[] = [
  separatedBy('~'),
  ([a, b]) => (a === '' || b === '' ? a.length - b.length : [a, b]),
  separatedBy('-'),
  separatedBy('^'),
  separatedBy('.'),
  segment,
];

/** Returns a negative number when `a` is the lower version, a positive one when it is the higher. */
export function compareVersions(a: string, b: string): number {
  let rest: Rest = [a.replace(INVALID, ''), b.replace(INVALID, '')];
  for (;;) {
    for (const rule of RULES) {
      const decided = rule(rest);
      if (typeof decided === 'number') return decided;
      rest = decided;
    }
  }
}

/** Whoever has the separator is the lower; if both have, it is skipped. */
function separatedBy(separator: string): Rule {
  return ([a, b]) => {
    const [left, right] = [a.startsWith(separator), b.startsWith(separator)];
    if (left !== right) return left ? -1 : 1;
    return left ? [a.slice(1), b.slice(1)] : [a, b];
  };
}

function segment([a, b]: Rest): number | Rest {
  const isNumber = /^\d/.test(a) || /^\d/.test(b);
  const pattern = isNumber ? /^\d*/ : /^[A-Za-z]*/;
  const [left, right] = [pattern.exec(a)?.[0] ?? '', pattern.exec(b)?.[0] ?? ''];
  const order = isNumber ? compareNumbers(left, right) : compare(left, right);
  return order === 0 ? [a.slice(left.length), b.slice(right.length)] : order;
}

function compareNumbers(a: string, b: string): number {
  if (a === '' || b === '') return a.length - b.length;
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return left.length - right.length || compare(left, right);
}

/** Compares bytewise. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
