/** The three signed writes by which firmware takes the keys of its machine's owner. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { bytesToSign, formatAuthenticatedWrite } from '../secureboot/authenticated-variable.ts';
import { KEY_VARIABLES, type KeyVariable } from '../secureboot/key-variable.ts';
import { signDetached } from './detached-signature.ts';

/** One thing for each of the variables. */
export type PerVariable<Thing> = Readonly<Record<KeyVariable, Thing>>;

/** Who signs the writes: keys that sign images need not be here. */
export type Signers = Readonly<
  Record<'PK' | 'KEK', { readonly certificate: X509Certificate; readonly privateKey: KeyObject }>
>;

/**
 * Returns the bytes of a write of each variable. The same arguments give the same bytes.
 * @param content the signature lists of each variable
 * @param time seconds since the epoch; firmware takes only what is later than the write before
 * @throws {SIGNER_FAILED} when a key cannot sign
 */
export function formatEnrolment(
  content: PerVariable<Uint8Array>,
  signers: Signers,
  time: number,
): PerVariable<Uint8Array> {
  const write = (variable: KeyVariable): Uint8Array => {
    const { certificate, privateKey } = signers[KEY_VARIABLES[variable].signer];
    const toSign = bytesToSign(variable, time, content[variable]);
    const signature = signDetached(toSign, Uint8Array.from(certificate.raw), privateKey);
    return formatAuthenticatedWrite({ time, signature, content: content[variable] });
  };
  return { PK: write('PK'), KEK: write('KEK'), db: write('db') };
}
