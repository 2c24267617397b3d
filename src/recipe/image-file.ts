/** Size and digest of a small image before it is written, its signature included. */
import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { attachSignature } from '../pe/certificate-table.ts';
import { createChecksum } from '../pe/checksum.ts';
import type { ImageContent } from '../plan/step.ts';
import type { Signer } from '../signer/signer.ts';
import { stream } from './pieces.ts';
import { imageLayout } from './recipe.ts';

/**
 * Returns the size in bytes and the digest of the file that a recipe makes. The image is held in memory.
 * @param sign returns the signature of an Authenticode digest, or undefined where nobody signs
 */
export async function describeImage(
  content: ImageContent,
  disk: Disk,
  sign: Signer['sign'],
): Promise<{ readonly size: number; readonly digest: Digest }> {
  const layout = imageLayout(content, disk);
  const { certificateEntryOffset, checksumOffset, digestRanges } = layout;
  const chunks: Uint8Array[] = [];
  await stream(layout.pieces, disk, async (bytes) => void chunks.push(Uint8Array.from(bytes)));
  const image = Buffer.concat(chunks);
  const covered = createHash('sha256');
  for (const { offset, size } of digestRanges)
    covered.update(image.subarray(offset, offset + size));
  const signature = sign(covered.digest());
  const attached =
    signature && attachSignature({ size: layout.size, certificateEntryOffset }, signature);
  const whole = attached ? Buffer.concat([image, attached.append]) : image;
  if (attached) whole.set(attached.entry.bytes, attached.entry.offset);
  const checksum = createChecksum();
  checksum.update(whole);
  whole.writeUInt32LE(checksum.finish(whole.length), checksumOffset);
  return { size: whole.length, digest: digestOf(createHash('sha256').update(whole).digest()) };
}
