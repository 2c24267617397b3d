/** The PKCS#7 signature of a root hash, as the kernel and systemd-veritysetup take it. */
import type { KeyObject } from 'node:crypto';
import { SIGNED_DATA } from './cms.ts';
import { sequence, tagged } from './der.ts';
import { signDetached } from './detached-signature.ts';

/**
 * Returns DER of a detached signature over a root hash, for a certificate in DER and its RSA key.
 * It signs the hash as text, in lower-case hexadecimal without an end of line. There are no signed
 * attributes (Discoverable Partitions Specification §Verity signatures). The same arguments give
 * the same bytes.
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function signRootHash(
  rootHash: string,
  certificate: Uint8Array,
  privateKey: KeyObject,
): Uint8Array {
  const signedData = signDetached(new TextEncoder().encode(rootHash), certificate, privateKey);
  return sequence(SIGNED_DATA, tagged(0, signedData));
}
