/**
 * Replaces the `%` specifiers of a unit that are known before the unit runs (systemd.unit(5)
 * §Specifiers).
 */
import type { UnitName } from './unit-name.ts';
import { unescapeName } from './unit-name.ts';

/** Specifiers whose value depends on the host, the boot or the run, so it is unknown now. */
const UNKNOWN_NOW = /[abdABDHlmMoqsvwW]/;

/** Values for units of the system manager, which runs as root. */
const FIXED: Readonly<Record<string, string>> = {
  '%': '%',
  C: '/var/cache',
  E: '/etc',
  g: 'root',
  G: '0',
  h: '/root',
  L: '/var/log',
  S: '/var/lib',
  t: '/run',
  T: '/tmp',
  u: 'root',
  U: '0',
  V: '/var/tmp',
};

/** Values that follow from a unit's own name and file. */
const OF_UNIT: Readonly<Record<string, (unit: { name: UnitName; file: string }) => string>> = {
  n: ({ name }) => name.full,
  N: ({ name }) => name.full.slice(0, -name.suffix.length),
  p: ({ name }) => name.prefix,
  P: ({ name }) => unescapeName(name.prefix),
  i: ({ name }) => name.instance ?? '',
  I: ({ name }) => unescapeName(name.instance ?? ''),
  j: ({ name }) => lastWord(name),
  J: ({ name }) => unescapeName(lastWord(name)),
  f: ({ name }) => `/${unescapeName(name.instance || name.prefix)}`,
  y: ({ file }) => file,
  Y: ({ file }) => file.slice(0, file.lastIndexOf('/')),
};

function lastWord({ prefix }: UnitName): string {
  return prefix.slice(prefix.lastIndexOf('-') + 1);
}

/** For a template, everything that depends on the instance is unknown. */
const OF_INSTANCE = /[iIfnN]/;

/**
 * Replaces the specifiers of a text. Returns undefined when one is unknown before the unit runs.
 */
export function expandSpecifiers(
  text: string,
  unit: { readonly name: UnitName; readonly file: string },
): string | undefined {
  let known = true;
  const expanded = text.replace(/%(.)/gs, (literal: string, letter: string) => {
    const open = unit.name.instance === '' && OF_INSTANCE.test(letter);
    if (open || UNKNOWN_NOW.test(letter)) known = false;
    return FIXED[letter] ?? OF_UNIT[letter]?.(unit) ?? literal;
  });
  return known ? expanded : undefined;
}
