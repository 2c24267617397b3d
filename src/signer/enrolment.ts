/** Makes the three signed writes by which firmware takes the owner's keys. */
import {
  bytesToSign,
  formatAuthenticatedWrite,
  type WriteMode,
} from '../secureboot/authenticated-variable.ts';
import {
  KEY_VARIABLES,
  type KeyVariable,
  type SignedVariable,
} from '../secureboot/key-variable.ts';
import { signDetached } from './detached-signature.ts';
import type { KeyPair } from './pem.ts';

/** One value for each of the variables. */
export type PerVariable<Thing> = Readonly<Record<KeyVariable, Thing>>;

/** The keys that sign the writes. The keys that sign images are not needed. */
export type Signers = Readonly<Record<'PK' | 'KEK', KeyPair>>;

/**
 * Returns the bytes of a write of each variable. The same arguments give the same bytes.
 * @param content the signature lists of each variable
 * @param time seconds since the epoch; firmware refuses a write that is not later than the last one
 * @throws {SIGNER_FAILED} when a key cannot sign
 */
export function formatEnrolment(
  content: PerVariable<Uint8Array>,
  signers: Signers,
  time: number,
): PerVariable<Uint8Array> {
  const write = (variable: KeyVariable): Uint8Array =>
    formatWrite(variable, content[variable], signers[KEY_VARIABLES[variable].signer], time);
  return { PK: write('PK'), KEK: write('KEK'), db: write('db') };
}

/**
 * Returns the bytes of a write that adds signature lists to db. The same arguments give the same bytes.
 * @param time seconds since the epoch
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function formatAddition(content: Uint8Array, KEK: KeyPair, time: number): Uint8Array {
  return formatWrite('db', content, KEK, time, 'append');
}

/**
 * Returns the bytes of a write of dbx. The same arguments give the same bytes.
 * @param time seconds since the epoch
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function formatForbidden(content: Uint8Array, KEK: KeyPair, time: number): Uint8Array {
  return formatWrite('dbx', content, KEK, time);
}

function formatWrite(
  variable: SignedVariable,
  content: Uint8Array,
  { certificate, privateKey }: KeyPair,
  time: number,
  mode?: WriteMode,
): Uint8Array {
  const toSign = bytesToSign(variable, time, content, mode);
  const signature = signDetached(toSign, Uint8Array.from(certificate.raw), privateKey);
  return formatAuthenticatedWrite({ time, signature, content });
}
