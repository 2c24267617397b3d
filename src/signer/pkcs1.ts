/** Checks bare RSA signatures of SHA-256 digests (RFC 8017 §8.2). */
import { constants, type KeyObject, publicDecrypt } from 'node:crypto';
import { sha256Algorithm } from './cms.ts';
import { octets, sameBytes, sequence } from './der.ts';

/** Returns whether a signature of a digest (32 bytes) was made by the owner of a public RSA key. */
export function isSignature(signature: Uint8Array, digest: Uint8Array, key: KeyObject): boolean {
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    // The signed bytes declare that they are a SHA-256 digest (RFC 8017 §9.2).
    return sameBytes(signed, sequence(sha256Algorithm, octets(digest)));
  } catch {
    // The library throws when the signature is of another key, or no signature at all.
    return false;
  }
}
