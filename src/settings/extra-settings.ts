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

/** By file name: the file to copy. */
export const companions = v.optional(v.record(v.string(), absolute, 'expected a table'), {});

/** The stub takes what follows a NUL for nothing, and other control characters for blanks. */
const line = v.pipe(
  v.string('expected text'),
  v.check((text) => !/\p{Cc}/u.test(text), 'expected one line without control characters'),
);

/** By name: what an addon adds to every image. */
export const addons = v.optional(
  v.record(
    v.string(),
    v.strictObject(
      {
        cmdline: v.optional(line),
        uname: v.optional(line),
        ucode: v.optional(absolute),
        dtb: v.optional(absolute),
        initrd: v.optional(absolute),
      },
      ({ expected }) =>
        expected === 'never' ? 'an addon has no such part' : 'expected a table with its parts',
    ),
    'expected a table',
  ),
  {},
);

/** The parts of an addon: texts, and absolute paths. */
export type AddonParts = v.InferOutput<typeof addons>[string];

/** The parts of an addon that are files. */
export const ADDON_FILES = ['ucode', 'dtb', 'initrd'] as const;

/** Returns the files that addons are made from. */
export function filesOfAddons(table: Readonly<Record<string, AddonParts>>): string[] {
  return Object.values(table).flatMap((parts) => ADDON_FILES.flatMap((name) => parts[name] ?? []));
}

/** Returns the source files in the values of one of these tables. */
export function filesOfExtras(
  table: Readonly<Record<string, { readonly source: string } | { readonly text: string }>>,
): string[] {
  return Object.values(table).flatMap((from) => ('source' in from ? [from.source] : []));
}

/** The tables after their check. */
export interface ExtraSettings {
  readonly 'extra-files': v.InferOutput<typeof extraFiles>;
  readonly 'extra-entries': v.InferOutput<typeof extraEntries>;
  readonly addons: v.InferOutput<typeof addons>;
  readonly credentials: v.InferOutput<typeof companions>;
  readonly extensions: v.InferOutput<typeof companions>;
}

/** One extra file of either table. */
export interface ExtraSetting {
  /** Its key in the configuration file. */
  readonly key: string;
  readonly path: EspPath;
  readonly from:
    | { readonly text: string }
    | { readonly source: string; readonly sign?: boolean }
    | { readonly addon: AddonParts };
}

/** Returns every extra file that the settings declare. */
export function extraSettings(settings: ExtraSettings): ExtraSetting[] {
  const { 'extra-files': files, 'extra-entries': entries } = settings;
  return [
    ...Object.entries(settings.addons).map(([name, addon]) => ({
      key: `addons.${name}`,
      path: espPath('loader/addons', `${name}.addon.efi`),
      from: { addon },
    })),
    ...(['credentials', 'extensions'] as const).flatMap((table) =>
      Object.entries(settings[table]).map(([name, source]) => ({
        key: `${table}.${name}`,
        path: espPath('loader', table, name),
        from: { source },
      })),
    ),
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
  for (const [table, { shape, expected }] of Object.entries(NAMES)) {
    const names = Object.keys(settings[table as keyof typeof NAMES]);
    const wrong = names.find((name) => !shape.test(name));
    if (wrong !== undefined) return [`${table}.${wrong}`, `expected ${expected}`];
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

/** The names that stubs take (UKI §Addons), and that are nobody else's: systemd-pcrlock has its own credential. */
const NAMES = {
  addons: {
    shape: /^[a-z0-9][\w.-]{0,63}$/i,
    expected: 'a name of letters, digits, `.`, `_`, `-`',
  },
  credentials: {
    shape: /^(?!\.|pcrlock\.)[^/]+\.cred$/i,
    expected: 'a file name that ends in .cred and does not begin with pcrlock.',
  },
  extensions: {
    shape: /^(?!\.)[^/]+\.(sysext|confext)\.raw$/i,
    expected: 'a file name that ends in .sysext.raw or .confext.raw',
  },
} as const;

/** The boot loader ignores names that begin with a dot or `auto-` (BLS §Type #1). */
function isEntryName(name: string): boolean {
  return /^(?!\.|auto-)[^/]+\.conf$/i.test(name);
}
