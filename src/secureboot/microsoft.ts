/** What the names of Microsoft's certificates say: which variable each is for, and what it vouches for. */
import type { Guid } from '../guid.ts';
import type { KeyVariable } from './key-variable.ts';

/** The owner under which Microsoft's own entries are known. */
export const MICROSOFT = '77fa9abd-0359-4d32-bd60-28f4e78f784b' as Guid;

/** The organisation that all of them name. */
export const MICROSOFT_ORGANISATION = 'Microsoft Corporation';

/** Returns where a certificate of Microsoft with this common name belongs; a platform key of theirs, nowhere. */
export function microsoftVariable(commonName: string): Exclude<KeyVariable, 'PK'> | undefined {
  if (/\bPK\b/.test(commonName)) return undefined;
  return /\bKEK\b/.test(commonName) ? 'KEK' : 'db';
}

/**
 * Tells whether a certificate of Microsoft with this common name vouches for the programs of others:
 * the option ROMs of graphics and network cards, and shim. Those of Windows do not.
 */
export function signsOptionRoms(commonName: string): boolean {
  return /\bUEFI CA\b/.test(commonName) && !commonName.startsWith('Windows ');
}
