/**
 * The table of all formats of boot entries. A new format is a file in `format/`, and a line here.
 */
import type { Format } from './format/format.ts';
import { SHARED } from './format/shared.ts';
import { THIN } from './format/thin.ts';
import { TYPE1 } from './format/type1.ts';
import { UKI } from './format/uki.ts';

/** Formats by name, in the order for a person. */
const FORMATS = {
  uki: UKI,
  shared: SHARED,
  type1: TYPE1,
  thin: THIN,
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;

/** The names of all formats, as in the settings. */
export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

/** Returns the record of a format. */
export function formatOf(name: FormatName): Format {
  return FORMATS[name];
}

/** What the settings may say: a format, or that the program chooses one. */
export type FormatChoice = FormatName | 'auto';
export const FORMAT_CHOICES: readonly FormatChoice[] = ['auto', ...FORMAT_NAMES];

/** The choice when the settings make none. */
export const DEFAULT_FORMAT: FormatChoice = 'auto';

/**
 * What is chosen: the first where stub and settings allow it and it saves `least` of the room, else
 * the second.
 */
export const AUTO = { first: 'shared', second: 'uki', least: 0.1 } as const;

/** What takes the place of a format that the stub does not start. */
export const INSTEAD: FormatName = 'uki';
