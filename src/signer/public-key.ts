/** A public key for everyone to see, from what a person names: nothing private may pass for one. */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { EspError } from '../error.ts';
import { hasPrivateKey, isPrivateKey } from '../secureboot/private-key.ts';
import { pemBlocks } from './pem.ts';

/**
 * Returns a public key in PEM: the file as it is, when that is one, or the key of the certificate in it.
 * @param what names the file in the error
 * @throws {KEY_INVALID} when it is anything else, a private key above all
 */
export function publicKeyPem(bytes: Uint8Array, what: string): Uint8Array {
  const text = new TextDecoder().decode(bytes);
  if (hasPrivateKey(text) || isPrivateKey(bytes)) {
    throw refused(
      what,
      'a private key, which everyone could read in the image',
      'take the public one out of it: openssl pkey -in PRIVATE -pubout -out PUBLIC; make a new key if an image with this one has left the machine',
    );
  }
  const [key] = pemBlocks(text, 'PUBLIC KEY');
  if (key !== undefined) return decoded(what, () => createPublicKey(key)) && bytes;
  const [certificate] = pemBlocks(text, 'CERTIFICATE');
  if (certificate === undefined) {
    throw refused(
      what,
      'something else',
      'convert one that is DER: openssl pkey -pubin -inform DER -in FILE -out public.pem',
    );
  }
  const { publicKey } = decoded(what, () => new X509Certificate(certificate));
  return new TextEncoder().encode(publicKey.export({ type: 'spki', format: 'pem' }).toString());
}

function decoded<Decoded>(what: string, decode: () => Decoded): Decoded {
  try {
    return decode();
  } catch (cause) {
    throw refused(
      what,
      'one that cannot be decoded',
      'copy it again from where it was made',
      cause,
    );
  }
}

function refused(what: string, got: string, hint: string, cause?: unknown): EspError {
  const message = `${what}: expected a public key or a certificate in PEM, got ${got}`;
  return new EspError('KEY_INVALID', message, { hint, cause });
}
