/** What the values of systemd-repart's definitions mean (repart.d(5)). */

/** Returns the number of bytes that systemd reads, or undefined: `512M`, `1.5G`, bytes without a suffix. */
export function parseBytes(text: string): number | undefined {
  const [, number = '', suffix = ''] = /^(\d+(?:\.\d+)?)\s*([KMGTPE]?)B?$/.exec(text) ?? [];
  if (number === '') return undefined;
  const bytes = Number(number) * 1024 ** ' KMGTPE'.indexOf(suffix || ' ');
  return Number.isSafeInteger(Math.floor(bytes)) ? Math.floor(bytes) : undefined;
}

/** Returns what a text with `%` specifiers stands for, or the specifier that nobody knows here. */
export function expandSpecifiers(
  text: string,
  known: Readonly<Record<string, string>>,
): { readonly text: string } | { readonly unknown: string } {
  let unknown: string | undefined;
  const expanded = text.replace(/%(.?)/gs, (all, letter: string) => {
    const value = letter === '%' ? '%' : known[letter];
    if (value === undefined) unknown ??= all;
    return value ?? '';
  });
  return unknown === undefined ? { text: expanded } : { unknown };
}

/** Splits at colons; a backslash takes the meaning from the character behind it. */
export function splitColons(text: string): readonly string[] {
  const parts = [''];
  for (const [piece] of text.matchAll(/\\.|[^\\]/gs)) {
    if (piece === ':') parts.push('');
    else parts.push(`${parts.pop()}${piece.length === 2 ? piece.slice(1) : piece}`);
  }
  return parts;
}

/** Splits at white space, as systemd does with lists; quotes keep words together. */
export function splitWords(text: string): readonly string[] {
  const words = text.matchAll(/"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)+)/gs);
  return [...words].map(([, double, single, bare]) =>
    (double ?? single ?? bare ?? '').replace(/\\(.)/gs, '$1'),
  );
}
