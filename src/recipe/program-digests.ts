/** Returns the Authenticode digests of the program that a recipe makes, before it is made. */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { type BankDigests, createBankHash, digestInBanks } from '../measure/bank.ts';
import { authenticodeDigestInput, authenticodePieces } from '../pe/authenticode.ts';
import { type Content, isImage } from '../plan/step.ts';
import { stream } from './pieces.ts';
import { imageLayout } from './recipe.ts';

/**
 * Returns the digests in every bank. A signature changes none of them. Memory does not grow with
 * the size.
 * @throws {PE_MALFORMED} @throws {FILE_MISSING}
 */
export async function programDigests(content: Content, disk: Disk): Promise<BankDigests> {
  if (isImage(content)) {
    const hash = createBankHash(createHash);
    const pieces = authenticodePieces(imageLayout(content, disk));
    await stream(pieces, disk, async (bytes) => hash.update(bytes));
    return hash.finish();
  }
  if (content.kind !== 'file' && content.kind !== 'signed') {
    throw new RangeError(`"content" expected a program, got ${content.kind}`);
  }
  using file = disk.open(content.path);
  return digestInBanks(authenticodeDigestInput(file), createHash);
}
