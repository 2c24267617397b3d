/** The throw-away key of the fixtures, as every signer test wants it. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const certificatePath = fileURLToPath(
  new URL('../../fixtures/keys/db.pem', import.meta.url),
);
export const privateKeyPath = fileURLToPath(new URL('../../fixtures/keys/db.key', import.meta.url));

export const certificatePem = readFileSync(certificatePath, 'utf8');
export const privateKeyPem = readFileSync(privateKeyPath, 'utf8');
export const certificate = new X509Certificate(certificatePem);
export const certificateDer = Uint8Array.from(certificate.raw);
export const privateKey = createPrivateKey(privateKeyPem);

/** A digest of no image in particular. */
export function imageDigest(name = 'an image'): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(name).digest());
}
