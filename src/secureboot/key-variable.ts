/**
 * The variables that hold Secure Boot keys, and which key may sign changes of each (UEFI §32.3).
 */
import type { Guid } from '../guid.ts';

/** The variables with a key of the machine's owner: platform key, key exchange key, database. */
export type KeyVariable = 'PK' | 'KEK' | 'db';

/** The variables that only signed writes change: `dbx` holds what firmware refuses to start. */
export type SignedVariable = KeyVariable | 'dbx';

/** The vendor GUID of the variables that the specification defines. */
export const GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c' as Guid;
export const IMAGE_SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f' as Guid;

/** The properties of each variable, from the one that vouches for all others downwards. */
export const KEY_VARIABLES: Readonly<
  Record<KeyVariable, { readonly vendor: Guid; readonly signer: 'PK' | 'KEK' }>
> = {
  PK: { vendor: GLOBAL_VARIABLE, signer: 'PK' },
  KEK: { vendor: GLOBAL_VARIABLE, signer: 'PK' },
  db: { vendor: IMAGE_SECURITY_DATABASE, signer: 'KEK' },
};

/** Returns the vendor GUID of a variable. */
export function vendorOf(variable: SignedVariable): Guid {
  return variable === 'dbx' ? IMAGE_SECURITY_DATABASE : KEY_VARIABLES[variable].vendor;
}

export const KEY_NAMES = Object.keys(KEY_VARIABLES) as readonly KeyVariable[];
