/** Formats and parses Type #1 boot entries (BLS §Type #1): the text of `.conf` files. */
import { lastValue, parseLines } from '../bls.ts';
import { type EspPath, espPath } from './layout.ts';

/** The keys of an entry that boots a kernel. Paths are relative to the ESP's root. */
export interface Type1Entry {
  readonly title: string;
  readonly version: string;
  readonly sortKey: string;
  readonly linux: EspPath;
  readonly initrd: readonly EspPath[];
  readonly devicetree?: EspPath;
  readonly options: string;
}

/** Returns the text of an entry. Titles become one line. `options` must be one line already. */
export function formatType1(entry: Type1Entry): string {
  const lines = [
    `title ${oneLine(entry.title)}`,
    `version ${oneLine(entry.version)}`,
    `sort-key ${oneLine(entry.sortKey)}`,
    `linux /${entry.linux}`,
    ...entry.initrd.map((path) => `initrd /${path}`),
    ...(entry.devicetree === undefined ? [] : [`devicetree /${entry.devicetree}`]),
    `options ${entry.options}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The files that an entry on an ESP refers to. */
export interface Type1References {
  /** Every file that it names, as ESP paths in the case as written. */
  readonly files: readonly EspPath[];
  readonly options: string;
  readonly title?: string;
  readonly version?: string;
  readonly sortKey?: string;
}

const FILE_KEYS = new Set(['linux', 'initrd', 'efi', 'uki', 'devicetree', 'extra']);

/** Parses any Type #1 entry, ours or foreign. It ignores unknown keys and refuses nothing. */
export function parseType1(text: string): Type1References {
  const lines = parseLines(text);
  const title = lastValue(lines, 'title');
  const version = lastValue(lines, 'version');
  const sortKey = lastValue(lines, 'sort-key');
  return {
    files: lines.filter(([key]) => FILE_KEYS.has(key)).map(([, value]) => referencedPath(value)),
    options: lines
      .filter(([key]) => key === 'options')
      .map(([, value]) => value)
      .join(' '),
    ...(title === undefined ? {} : { title }),
    ...(version === undefined ? {} : { version }),
    ...(sortKey === undefined ? {} : { sortKey }),
  };
}

/**
 * Converts a path in an entry or image to an ESP path: it takes either slash, and stays on the ESP.
 */
export function referencedPath(value: string): EspPath {
  const parts: string[] = [];
  for (const part of value.split(/[\\/]+/)) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return espPath(...parts);
}

/**
 * Returns text as the value of a line.
 *
 * A line end or another control character would start a new key, and one quote at either end would
 * be taken as quoting. No other character has a meaning in a value.
 */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
  const line = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return /^(["']).*\1$/.test(line) ? line.slice(1, -1).trim() || '-' : line || '-';
}
