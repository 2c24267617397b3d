/** The row of a setting in the table. */
import type * as v from 'valibot';

/** A verb that reads settings. */
export type SettingVerb =
  | (typeof LIKE_INSTALL)[number]
  | ('gc' | 'status' | 'report' | 'list' | 'verify' | 'measure' | 'pin' | 'unpin' | 'sign')
  | ('keys enroll' | 'keys status')
  | (typeof KERNEL_VERBS)[number]
  | (typeof FIRMWARE_VERBS)[number]
  | (typeof ENTRY_VERBS)[number];

/** Verbs with the same options, so that a command line works with each of them. */
export const LIKE_INSTALL = ['install', 'plan', 'watch', 'repair'] as const;
/** Verbs that survey the system and compare the ESP with it. */
export const SURVEYING = [...LIKE_INSTALL, 'gc', 'status', 'report'] as const;
/** Verbs that read boot entries on an ESP. */
export const READING = [...SURVEYING, 'list', 'verify', 'measure'] as const;

/** Verbs that keep installed kernels as generations. */
export const KERNEL_VERBS = ['kernel add', 'kernel remove', 'kernel sync', 'kernel list'] as const;

/** Verbs that change boot entries of firmware. */
export const FIRMWARE_VERBS = ['firmware list', 'firmware register', 'firmware forget'] as const;
/** Verbs that choose an entry of the boot loader. */
export const ENTRY_VERBS = ['entry next', 'entry default'] as const;

/** Paths that a confined service must see. */
export interface Reach {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
}

/** One setting. Its name is the key of its row: the flag without dashes, and the key in the file. */
export interface Setting {
  /** The word behind the flag in the help; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: true;
  /** A table of the configuration file. Flags and variables cannot set it. */
  readonly isTable?: true;
  /** The keys of such a table, when they are fixed. */
  readonly keys?: readonly string[];
  readonly schema: v.GenericSchema;
  /** One phrase for help and reference, without the default. */
  readonly help: string;
  /** The default in words, when it is no value of the schema. */
  readonly fallback?: string;
  readonly verbs: readonly SettingVerb[];
  /**
   * Settings of one group are alternatives. A source that names one replaces all those of the group
   * in sources of lower rank.
   */
  readonly alternatives?: 'key' | 'pcr-key';
  /**
   * What a confined service must see for it: `nothing`; the paths in its value, to `read` or to
   * `write`; or the paths that a function finds in the value.
   */
  readonly reach: 'nothing' | 'read' | 'write' | ((value: never) => Reach);
}

/** A setting with a known schema. Its function finds paths in a checked value. */
interface TypedSetting<Schema extends v.GenericSchema> extends Setting {
  readonly schema: Schema;
  readonly reach:
    | Exclude<Setting['reach'], (value: never) => Reach>
    | ((value: NonNullable<v.InferOutput<Schema>>) => Reach);
}

/** Returns a row unchanged. It gives the row the type of its own schema. */
export function setting<Schema extends v.GenericSchema>(
  row: TypedSetting<Schema>,
): TypedSetting<Schema> {
  return row;
}
