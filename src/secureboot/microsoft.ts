/**
 * Tells from the name of a Microsoft certificate which variable it is for, and what it vouches for.
 */
import type { Guid } from '../guid.ts';
import type { KeyVariable } from './key-variable.ts';

/** The owner GUID of Microsoft's own entries. */
export const MICROSOFT = '77fa9abd-0359-4d32-bd60-28f4e78f784b' as Guid;

/** The organisation in all of Microsoft's certificates. */
export const MICROSOFT_ORGANISATION = 'Microsoft Corporation';

/**
 * Returns the variable for a Microsoft certificate of this common name; none for their platform
 * key.
 */
export function microsoftVariable(commonName: string): Exclude<KeyVariable, 'PK'> | undefined {
  if (/\bPK\b/.test(commonName)) return undefined;
  return /\bKEK\b/.test(commonName) ? 'KEK' : 'db';
}

/**
 * The common names of the authorities for the option ROMs of graphics and network cards, the older one
 * first. `Microsoft UEFI CA 2023` is none: it vouches for shim and other loaders alone.
 */
export const OPTION_ROM_AUTHORITIES: readonly string[] = [
  'Microsoft Corporation UEFI CA 2011',
  'Microsoft Option ROM UEFI CA 2023',
];
