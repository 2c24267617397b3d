/** Finds the line of a key in a TOML text, for messages: the parser does not tell it. */

/**
 * Returns the line of a key, counted from 1, or undefined when it is written in a way that this does not
 * follow. Elements of arrays are numbers.
 */
export function lineOf(text: string, path: readonly (string | number)[]): number | undefined {
  const seen = new Map<string, number>();
  let table: readonly (string | number)[] = [];
  let best: { readonly line: number; readonly depth: number } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const list = /^\s*\[\[\s*([^\]]+?)\s*\]\]/.exec(raw)?.[1];
    const single = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(raw)?.[1];
    const key = /^\s*("[^"]*"|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\s*=/.exec(raw)?.[1];
    if (list !== undefined) {
      const number = (seen.get(list) ?? -1) + 1;
      seen.set(list, number);
      table = [...numbered(list, seen), number];
    } else if (single !== undefined) table = numbered(single, seen);
    else if (key === undefined) continue;
    const here = key === undefined ? table : [...table, ...key.replaceAll('"', '').split('.')];
    const isAbove = here.every((part, at) => part === path[at]);
    if (isAbove && here.length > (best?.depth ?? 0)) best = { line: index + 1, depth: here.length };
  }
  return best?.line;
}

/** A table below an array of tables belongs to its last element. */
function numbered(name: string, seen: ReadonlyMap<string, number>): readonly (string | number)[] {
  const parts = name.split('.').map((part) => part.trim());
  return parts.flatMap((part, at) => {
    const above = parts.slice(0, at + 1).join('.');
    const number = seen.get(above);
    const isLast = at === parts.length - 1;
    return number === undefined || isLast ? [part] : [part, number];
  });
}
