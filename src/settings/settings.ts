/**
 * Reads and checks settings: flags override the environment, the configuration file and defaults.
 */

import * as v from 'valibot';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { entryToken } from '../generation/entry-token.ts';
import { chosenSource } from '../generation/sources.ts';
import { valueFault } from '../loader/loader-values.ts';
import { complaintOf } from '../schema-issue.ts';
import { CONFIG_FILE, type RawSettings, readConfigurationFile } from './configuration-file.ts';
import { extraMistake, extraSettings } from './extra-settings.ts';
import { nearest } from './nearest.ts';
import type { SettingName, TABLE } from './table.ts';
import { ROWS } from './verb-options.ts';

type Schemas = { readonly [Name in SettingName]: (typeof TABLE)[Name]['schema'] };

const schema = v.strictObject(
  Object.fromEntries(ROWS.map(([name, row]) => [name, row.schema])) as unknown as Schemas,
  'there is no such setting',
);

/** Every setting with its value, by its name. Sizes in bytes. */
export type Settings = v.InferOutput<typeof schema> & { readonly 'entry-token': string };

/** Values from one place, and how messages refer to that place. */
interface Source {
  readonly values: RawSettings;
  /** Returns a key as this place spells it. */
  readonly origin: (key: string) => string;
  /** Returns a hint for a wrong value; undefined when the caller has a better one. */
  readonly hint: (key: string) => string | undefined;
}

/**
 * Returns the settings in force.
 * @throws {CONFIG_INVALID} naming the wrong flag, variable or key; for a flag without a hint,
 * because only the caller knows the verb
 */
export async function readSettings(
  flags: RawSettings,
  environment: Readonly<Record<string, string | undefined>>,
  disk: Disk,
): Promise<Settings> {
  const { settings, mistakes } = checked(await sourcesOf(flags, environment, disk), disk);
  if (settings === undefined) throw mistakes[0];
  return settings;
}

/** One setting in force: its value after the check, and the place that it comes from. */
export interface SettingInForce {
  readonly name: SettingName;
  readonly value: unknown;
  /** The flag, variable or key as a person spells it; undefined for the default. */
  readonly from: string | undefined;
}

/**
 * Returns every setting with its origin, and every mistake. With a mistake there are no settings.
 * @throws {CONFIG_INVALID} when the configuration file cannot be read at all
 */
export async function settingsInForce(
  flags: RawSettings,
  environment: Readonly<Record<string, string | undefined>>,
  disk: Disk,
): Promise<{
  readonly inForce: readonly SettingInForce[];
  readonly mistakes: readonly EspError[];
}> {
  const sources = await sourcesOf(flags, environment, disk);
  const { settings, merged, mistakes } = checked(sources, disk);
  if (settings === undefined) return { inForce: [], mistakes };
  const inForce = ROWS.map(([name]) => {
    const source = name in merged ? sources.findLast(({ values }) => name in values) : undefined;
    return { name, value: settings[name], from: source?.origin(name) };
  });
  return { inForce, mistakes };
}

async function sourcesOf(
  { config, ...flags }: RawSettings,
  environment: Readonly<Record<string, string | undefined>>,
  disk: Disk,
): Promise<readonly Source[]> {
  const { file, isNamed } = configurationFile(config, environment);
  return [
    {
      values: await readConfigurationFile(disk, file, isNamed),
      origin: (key) => `${file}: ${key}`,
      hint: (key) => `correct ${key} in ${file}`,
    },
    {
      values: fromEnvironment(environment),
      origin: variableName,
      hint: (key) => `correct or unset ${variableName(key)}`,
    },
    { values: flags, origin: (key) => `--${key}`, hint: () => undefined },
  ];
}

/** Returns the path of the configuration file, and whether somebody named it. */
export function configurationFile(
  flag: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly file: string; readonly isNamed: boolean } {
  const named = flag ?? environment['ESPALIER_CONFIG'];
  return { file: typeof named === 'string' ? named : CONFIG_FILE, isNamed: named !== undefined };
}

/**
 * Returns the settings that values from one place and nothing else give. `table` is what this place
 * is called in messages.
 * @throws {CONFIG_INVALID} naming the wrong key
 */
export function checkSettings(values: RawSettings, table: string, disk: Disk): Settings {
  const origin = (key: string) => `${table}.${key}`;
  const { settings, mistakes } = checked([{ values, origin, hint: () => undefined }], disk);
  if (settings === undefined) throw mistakes[0];
  return settings;
}

/** Checks what the sources give together. Mistakes come in the order of the table. */
function checked(
  sources: readonly Source[],
  disk: Disk,
): { settings?: Settings; merged: RawSettings; mistakes: readonly EspError[] } {
  const merged = merge(sources.map(({ values }) => values));
  const result = v.safeParse(schema, merged);
  if (!result.success) {
    return { merged, mistakes: result.issues.map((issue) => wrongValue(issue, merged, sources)) };
  }
  const token = result.output['entry-token'] ?? usualToken(result.output, disk);
  const settings = { ...result.output, 'entry-token': token };
  const impossible = extraMistake(settings, token);
  const missing = namedFiles(settings)
    .filter(([, at]) => disk.stat(at)?.kind !== 'file')
    .map(([where, at]) => [where, `${at} is no file`] as const);
  const wrong = [
    ...loaderMistakes(settings.loader),
    ...(impossible ? [impossible] : []),
    ...missing,
  ];
  const mistakes = wrong.map(([where, message]) => mistake(sources, where, message));
  return mistakes.length > 0 ? { merged, mistakes } : { settings, merged, mistakes };
}

/** NixOS has one name everywhere, and an installed kernel that of its machine. */
function usualToken(settings: v.InferOutput<typeof schema>, disk: Disk): string {
  return chosenSource(settings, disk) === 'kernels' ? entryToken(disk) : 'nixos';
}

/**
 * Merges sources, the lowest in rank first. Of alternatives, those of the highest rank replace the
 * rest.
 */
function merge(values: readonly RawSettings[]): RawSettings {
  return values.reduce((below, above) => {
    const groups = new Set(
      ROWS.flatMap(([name, { alternatives }]) => (name in above ? [alternatives] : [])),
    );
    groups.delete(undefined);
    const replaced: readonly string[] = ROWS.flatMap(([name, { alternatives }]) =>
      groups.has(alternatives) ? [name] : [],
    );
    const kept = Object.entries(below).filter(([name]) => !replaced.includes(name));
    return { ...Object.fromEntries(kept), ...above };
  }, {});
}

/** Returns the error for a value that no schema accepts, or for an unknown key. */
function wrongValue(
  issue: v.BaseIssue<unknown>,
  merged: RawSettings,
  sources: readonly Source[],
): EspError {
  const keys = (issue.path ?? []).map(({ key }) => String(key));
  const where = keys.join('.');
  if (!isUnknownKey(issue)) {
    return mistake(sources, where, `${complaintOf(issue)}${gotten(keys, merged)}`);
  }
  const [top = '', below] = keys;
  const rows = below === undefined ? ROWS.map(([name]) => name) : keysOfTable(top);
  const meant = nearest(below ?? top, rows);
  return mistake(sources, where, complaintOf(issue), meant && `did you mean ${meant}?`);
}

function isUnknownKey({ type, expected, path }: v.BaseIssue<unknown>): boolean {
  const last = path?.at(-1);
  return (type === 'strict_object' && expected === 'never') || last?.origin === 'key';
}

function keysOfTable(table: string): readonly string[] {
  return ROWS.find(([name]) => name === table)?.[1].keys ?? [];
}

/** In characters. Longer texts are cut in messages. */
const SHOWN = 60;

/** Returns the found value for a message, if it is one word and the message lacks it. */
function gotten(keys: readonly string[], merged: RawSettings): string {
  const value = keys.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Reflect.get(at, key) : undefined),
    merged,
  );
  if (typeof value === 'string') return value === '' ? '' : `, got ${JSON.stringify(cut(value))}`;
  return ['number', 'boolean', 'bigint'].includes(typeof value) ? `, got ${value}` : '';
}

function quoted(value: unknown): string {
  return JSON.stringify(cut(String(value)));
}

function cut(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

function mistake(
  sources: readonly Source[],
  where: string,
  message: string,
  advice?: string,
): EspError {
  const top = where.split('.')[0] ?? '';
  const source = sources.findLast(({ values }) => top in values);
  const hint = advice ?? source?.hint(where);
  return new EspError('CONFIG_INVALID', `${source?.origin(where) ?? where}: ${message}`, { hint });
}

/** Values for loader.conf that systemd-boot would pass over. */
function loaderMistakes(loader: Settings['loader']): (readonly [where: string, message: string])[] {
  return Object.entries(loader).flatMap(([key, value]) => {
    const fault = valueFault(key, value);
    return fault === undefined
      ? []
      : [[`loader.${key}`, `${fault}, got ${quoted(value)}`] as const];
  });
}

/** Files that a run reads late. A missing one is reported before the run starts. */
function namedFiles(settings: Settings): [string, string][] {
  const { 'loader-conf': loaderConf, sections } = settings;
  const named = [
    ['loader-conf', loaderConf],
    ...extraSettings(settings).map(({ key, from }) => [key, 'source' in from && from.source]),
    ...Object.entries(sections).map(([name, at]) => [`sections.${name}`, at]),
  ];
  return named.flatMap(([where, at]) => (where && at ? [[where, at] as [string, string]] : []));
}

/** Returns a setting's variable, such as `ESPALIER_PRIVATE_KEY`. Colons divide a list in it. */
function variableName(option: string): string {
  return `ESPALIER_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** Returns the settings that variables give, unchecked. */
export function fromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): RawSettings {
  const found: Record<string, unknown> = {};
  for (const [name, { isTable, repeatable }] of ROWS) {
    const value = isTable ? undefined : environment[variableName(name)];
    if (value !== undefined) found[name] = repeatable ? value.split(':') : value;
  }
  return found;
}
