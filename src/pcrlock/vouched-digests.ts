/**
 * Returns what a program on an ESP will measure as, if it is ours. No foreign program gets
 * expected.
 */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { judgeSignature } from '../inspection/signature.ts';
import { type BankDigests, digestInBanks } from '../measure/bank.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import type { Content } from '../plan/step.ts';
import { programDigests } from '../recipe/program-digests.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';

/** A program on an ESP, and its recipe where that is known. */
export interface Program {
  readonly path: string;
  readonly recipe: Content | undefined;
  /** Whether its content matches its name. A signature alone vouches for old programs too. */
  readonly isNamed: () => Promise<boolean>;
}

/**
 * Returns the Authenticode digests of a program if its recipe makes these bytes, or if it has our
 * signature and the right name. Bytes on an ESP alone vouch for nothing: a record made from them
 * would let in whoever changed them.
 * @throws {PE_MALFORMED} @throws {SIGNATURE_MALFORMED}
 */
export async function vouchedDigests(
  { path, recipe, isNamed }: Program,
  signer: Signer,
  disk: Disk,
): Promise<BankDigests | undefined> {
  using file = disk.open(path);
  const found = digestInBanks(authenticodeDigestInput(file), createHash);
  const made = recipe && (await programDigests(recipe, disk));
  if (made?.sha256 === found.sha256) return made;
  const isSigned = !isUnsigned(signer) && judgeSignature(file, signer) === 'valid';
  return isSigned && (await isNamed()) ? found : undefined;
}
