/** Every format of boot entries. A new one is a file in `format/`, and a line here. */
import type { Format } from './format/format.ts';
import { THIN } from './format/thin.ts';
import { TYPE1 } from './format/type1.ts';
import { UKI } from './format/uki.ts';

/** By name, in the order in which a person reads them. */
const FORMATS = { uki: UKI, type1: TYPE1, thin: THIN } as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;

/** The names of all formats, as settings have them. */
export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

/** Returns the record of a format. */
export function formatOf(name: FormatName): Format {
  return FORMATS[name];
}

/** The format where the settings name none. */
export const DEFAULT_FORMAT: FormatName = 'uki';
