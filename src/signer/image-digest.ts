/** Computes the digest of an image that gets signed. */
import { createHash } from 'node:crypto';
import type { ByteSource } from '../byte-source.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';

/**
 * Returns the Authenticode digest of an image: 32 bytes of SHA-256. Memory does not grow with its size.
 * @throws {PE_MALFORMED} when the image is not whole
 * @throws {SIGNATURE_MALFORMED} when the certificate table is not the end of the file
 */
export function authenticodeDigest(image: ByteSource): Uint8Array {
  const sha256 = createHash('sha256');
  for (const bytes of authenticodeDigestInput(image)) sha256.update(bytes);
  return sha256.digest();
}
