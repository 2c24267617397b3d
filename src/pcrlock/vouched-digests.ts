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
  /**
   * Whether its content is what its name says; a signature alone vouches for old programs as well. Only
   * asked of what would be made now, perhaps with a newer stub: an image of a generation that was
   * deleted is whole and signed too, and who puts it back must not be let in.
   */
  readonly isNamed: () => Promise<boolean>;
}

/**
 * Returns the Authenticode digests of a program if it is what its recipe makes, or carries our signature and
 * the name of what the recipe makes. Without a recipe there are none.
 * Bytes on an ESP alone vouch for nothing: whoever changed them would be let in by what is made of them.
 * @throws {PE_MALFORMED} @throws {SIGNATURE_MALFORMED}
 */
export async function vouchedDigests(
  { path, recipe, isNamed }: Program,
  signer: Signer,
  disk: Disk,
): Promise<BankDigests | undefined> {
  using file = disk.open(path);
  const found = digestInBanks(authenticodeDigestInput(file), createHash);
  if (recipe === undefined) return undefined;
  const made = await programDigests(recipe, disk);
  if (made.sha256 === found.sha256) return made;
  const isSigned = !isUnsigned(signer) && judgeSignature(file, signer) === 'valid';
  return isSigned && (await isNamed()) ? found : undefined;
}
