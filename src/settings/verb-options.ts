/** The options of each verb that come from the table of settings. */
import { CONFIG_FILE } from './configuration-file.ts';
import type { Option } from './option.ts';
import type { Setting } from './setting.ts';
import { type SettingName, TABLE } from './table.ts';

/** The rows of the table, with the type that all share. */
export const ROWS = Object.entries(TABLE) as readonly (readonly [SettingName, Setting])[];

const ROOT: Option = {
  name: 'root',
  value: 'DIR',
  help: 'a system mounted there: all other paths are inside',
};

/** Options that name the configuration file and the root of the system. */
const LOCATION_OPTIONS: readonly Option[] = [
  ROOT,
  { name: 'config', value: 'FILE', help: `configuration file (default: ${CONFIG_FILE})` },
];

/** Verbs that read no settings but work below another root too. */
const ROOTED: readonly string[] = ['keys generate'];

/** Verbs that need the configuration file, and take no other setting. */
const CONFIGURED: readonly string[] = ['config copy'];

/** Verbs that take every setting there is. */
export const ALL_SETTINGS: readonly string[] = ['config check'];

/** Returns the options by which a verb finds its settings; none for a verb that reads none. */
export function locationOptions(verb: string): readonly Option[] {
  if (ROOTED.includes(verb)) return [ROOT];
  if (CONFIGURED.includes(verb)) return LOCATION_OPTIONS;
  return settingOptions(verb).length > 0 ? LOCATION_OPTIONS : [];
}

/** Returns the settings of a verb as options, in the order of the table; none for other verbs. */
export function settingOptions(verb: string): readonly Option[] {
  const takesAll = ALL_SETTINGS.includes(verb);
  return ROWS.filter(
    ([, { isTable, verbs }]) => !isTable && (takesAll || verbs.some((one) => one === verb)),
  ).map(optionFor);
}

/** Returns some settings as options, for a verb that reads no configuration file. */
export function optionsNamed(...names: readonly SettingName[]): readonly Option[] {
  return ROWS.filter(([name]) => names.includes(name)).map(optionFor);
}

/** Returns a setting's default for a person; undefined for a switch, and without a default. */
export function defaultOf({ schema, fallback, ...row }: Setting): string | undefined {
  if (fallback !== undefined) return fallback;
  const value = 'default' in schema ? schema.default : undefined;
  if (value === undefined || row.value === undefined) return undefined;
  return String(value);
}

function optionFor([name, row]: readonly [SettingName, Setting]): Option {
  const told = defaultOf(row);
  return {
    name,
    ...(row.value === undefined ? {} : { value: row.value }),
    ...(row.repeatable ? { repeatable: true } : {}),
    help: told === undefined ? row.help : `${row.help} (default: ${told})`,
  };
}

/** Settings whose values are paths. */
export const PATH_SETTINGS: ReadonlySet<string> = new Set(
  ROWS.filter(
    ([, { value }]) => value !== undefined && ['DIR', 'FILE', 'PATH'].includes(value),
  ).map(([name]) => name),
);
