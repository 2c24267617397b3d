/** RSA signatures of SHA-256 digests, bare as keys make them (RFC 8017 §8.2). */
import { constants, type KeyObject, publicDecrypt } from 'node:crypto';
import { sha256Algorithm } from './cms.ts';
import { octets, sameBytes, sequence } from './der.ts';

/** Tells whether a signature is that of a digest (32 bytes) by the owner of a public RSA key. */
export function isSignature(signature: Uint8Array, digest: Uint8Array, key: KeyObject): boolean {
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    // What is signed says of itself that it is a SHA-256 digest (RFC 8017 §9.2).
    return sameBytes(signed, sequence(sha256Algorithm, octets(digest)));
  } catch {
    // Not of this key, or of no key at all: the library has only errors to say so.
    return false;
  }
}
