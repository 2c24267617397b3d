/** What `%` specifiers of a unit stand for, as far as that is known before the unit runs: systemd.unit(5) §Specifiers. */
import type { UnitName } from './unit-name.ts';
import { unescapeName } from './unit-name.ts';

/** Specifiers that systemd knows and that we do not know now: the host's, the boot's, the run's. */
const UNKNOWN_NOW = /[abdABDHlmMoqsvwW]/;

/** For units of the system manager, which runs as root. */
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

/** What a unit's own name and file give. */
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

/** Of a template nothing is known that depends on its instance. */
const OF_INSTANCE = /[iIfnN]/;

/** Replaces the specifiers of a text; undefined when one of them is not known before the unit runs. */
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
