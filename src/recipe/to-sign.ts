/** Returns what a key will have to sign, before anything is written. */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { authenticodePieces } from '../pe/authenticode.ts';
import { type Content, type ImageContent, isImage, type Plan } from '../plan/step.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import type { ToSign } from '../signer/signer.ts';
import { stream } from './pieces.ts';
import { imageLayout } from './recipe.ts';

/** A recipe whose result is signed. */
export type SignedContent = ImageContent | Extract<Content, { kind: 'signed' }>;

/**
 * A program that a plan makes and signs: path on the ESP, recipe, and size with signature in bytes.
 */
export interface SignedProgram extends ToSign {
  readonly content: SignedContent;
  readonly size: number;
}

/**
 * Returns every program that a plan makes and signs, in the order of the plan. Memory does not grow
 * with their size.
 * @throws {PE_MALFORMED} {FILE_MISSING}
 */
export async function programsToSign({ phases }: Plan, disk: Disk): Promise<SignedProgram[]> {
  const programs: SignedProgram[] = [];
  for (const step of phases.flatMap(({ steps }) => steps)) {
    if (step.kind !== 'write' && step.kind !== 'replace') continue;
    const { path, content, size } = step;
    if (!isImage(content) && content.kind !== 'signed') continue;
    programs.push({ name: path, imageDigest: await imageDigest(content, disk), content, size });
  }
  return programs;
}

/**
 * Returns the Authenticode digest (32 bytes) of the image that a recipe makes.
 * @throws {PE_MALFORMED} {FILE_MISSING}
 */
export async function imageDigest(content: SignedContent, disk: Disk): Promise<Uint8Array> {
  const sha256 = createHash('sha256');
  if (isImage(content)) {
    const pieces = authenticodePieces(imageLayout(content, disk));
    await stream(pieces, disk, async (bytes) => void sha256.update(bytes));
    return sha256.digest();
  }
  using file = disk.open(content.path);
  return authenticodeDigest(file);
}
