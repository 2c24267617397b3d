/** What a row of the table of settings says. */
import type * as v from 'valibot';

/** A verb that reads settings. */
export type SettingVerb =
  | (typeof LIKE_INSTALL)[number]
  | ('gc' | 'status' | 'list' | 'verify' | 'pin' | 'unpin' | 'sign')
  | ('keys enroll' | 'keys status');

/** Verbs that take the same options, so that one command line serves with each of them. */
export const LIKE_INSTALL = ['install', 'plan', 'watch', 'repair'] as const;
/** Verbs that find out what the system wants, and compare the ESP with it. */
export const SURVEYING = [...LIKE_INSTALL, 'gc', 'status'] as const;
/** Verbs that look at boot entries on an ESP. */
export const READING = [...SURVEYING, 'list', 'verify'] as const;

/** Paths that a confined service must see. */
export interface Reach {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
}

/** One setting. Its name is the key of its row: the flag without dashes, and the key in the file. */
export interface Setting {
  /** What follows the flag; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: true;
  /** A table of the configuration file, which no flag and no variable can say. */
  readonly isTable?: true;
  /** The keys of such a table, where they are always the same. */
  readonly keys?: readonly string[];
  readonly schema: v.GenericSchema;
  /** One phrase for the help and the reference, without the default. */
  readonly help: string;
  /** What holds without the setting, where that is not a value of the schema. */
  readonly fallback?: string;
  readonly verbs: readonly SettingVerb[];
  /**
   * Settings of one group are alternatives: one that is named in a source replaces all of the group
   * that sources of lower rank name.
   */
  readonly alternatives?: 'key';
  /**
   * What a confined service must see for it: `nothing`; the path or the paths that are the value, to
   * `read` or to `write`; or the paths that a function finds in the value.
   */
  readonly reach: 'nothing' | 'read' | 'write' | ((value: never) => Reach);
}

/** A setting whose schema is known: the function finds paths in what the schema makes of a value. */
interface TypedSetting<Schema extends v.GenericSchema> extends Setting {
  readonly schema: Schema;
  readonly reach:
    | Exclude<Setting['reach'], (value: never) => Reach>
    | ((value: NonNullable<v.InferOutput<Schema>>) => Reach);
}

/** Returns a row as it is; its type is that of its own schema. */
export function setting<Schema extends v.GenericSchema>(
  row: TypedSetting<Schema>,
): TypedSetting<Schema> {
  return row;
}
