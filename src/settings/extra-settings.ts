/** Settings in the configuration file alone: entries and files besides those of generations. */
import * as v from 'valibot';
import { extraNameFault } from '../esp/extra-name.ts';
import { ENTRIES, type EspPath, espPath } from '../esp/layout.ts';
import { absolute } from './value-schemas.ts';

const flag = v.optional(v.boolean('expected true or false'), false);

/** By path on the ESP: the file to copy, and whether to sign it. */
export const extraFiles = v.optional(
  v.record(
    v.string(),
    v.union(
      [
        v.strictObject({ source: absolute, sign: flag }),
        v.pipe(
          absolute,
          v.transform((source) => ({ source, sign: false })),
        ),
      ],
      'expected a path, or a table with `source` and `sign`',
    ),
    'expected a table',
  ),
  {},
);

/** By name in `loader/entries`: the text, or the file with the text. */
export const extraEntries = v.optional(
  v.record(
    v.string(),
    v.union(
      [
        v.strictObject({ source: absolute }),
        v.pipe(
          v.string(),
          v.transform((text) => ({ text })),
        ),
      ],
      'expected text, or a table with `source`',
    ),
    'expected a table',
  ),
  {},
);

/** Returns the source files in the values of one of these tables. */
export function filesOfExtras(
  table: Readonly<Record<string, { readonly source: string } | { readonly text: string }>>,
): string[] {
  return Object.values(table).flatMap((from) => ('source' in from ? [from.source] : []));
}

/** The two tables after their check. */
export interface ExtraSettings {
  readonly 'extra-files': v.InferOutput<typeof extraFiles>;
  readonly 'extra-entries': v.InferOutput<typeof extraEntries>;
}

/** One extra file of either table. */
export interface ExtraSetting {
  /** Its key in the configuration file. */
  readonly key: string;
  readonly path: EspPath;
  readonly from: { readonly text: string } | { readonly source: string; readonly sign?: boolean };
}

/** Returns every extra file that the settings declare. */
export function extraSettings(settings: ExtraSettings): ExtraSetting[] {
  const { 'extra-files': files, 'extra-entries': entries } = settings;
  return [
    ...Object.entries(files).map(([name, from]) => ({
      key: `extra-files.${name}`,
      path: name as EspPath,
      from,
    })),
    ...Object.entries(entries).map(([name, from]) => ({
      key: `extra-entries.${name}`,
      path: espPath(ENTRIES, name),
      from,
    })),
  ];
}

/** Returns the first extra file that is not allowed, by its key, and the reason. */
export function extraMistake(
  settings: ExtraSettings,
  token: string,
): readonly [key: string, message: string] | undefined {
  const entry = Object.keys(settings['extra-entries']).find((name) => !isEntryName(name));
  if (entry !== undefined) {
    return [`extra-entries.${entry}`, 'expected a file name that ends in .conf'];
  }
  const seen = new Map<string, string>();
  for (const { key, path: at } of extraSettings(settings)) {
    const fault = extraNameFault(at, token);
    if (fault !== undefined) return [key, `expected ${fault}`];
    const same = at.toLowerCase();
    const other = [...seen].find(
      ([one]) => `${one}/`.startsWith(`${same}/`) || `${same}/`.startsWith(`${one}/`),
    );
    if (other) return [key, `expected a path of its own, got that of ${other[1]}, or one below it`];
    seen.set(same, key);
  }
  return undefined;
}

/** The boot loader ignores names that begin with a dot or `auto-` (BLS §Type #1). */
function isEntryName(name: string): boolean {
  return /^(?!\.|auto-)[^/]+\.conf$/i.test(name);
}
