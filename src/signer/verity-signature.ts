/** The PKCS#7 signature of a root hash, as the kernel and systemd-veritysetup take it. */
import type { KeyObject } from 'node:crypto';
import {
  issuerAndSerialNumber,
  RSA_ENCRYPTION,
  SIGNED_DATA,
  sha256Algorithm,
  signed,
  version1,
} from './cms.ts';
import { nothing, octets, oid, sequence, setOf, tagged } from './der.ts';

const DATA = oid('1.2.840.113549.1.7.1');

/**
 * Returns DER of a detached signature over a root hash, for a certificate in DER and its RSA key. What
 * is signed is the hash as text, in lower-case hexadecimal without an end of line, and nothing else:
 * there are no signed attributes (Discoverable Partitions Specification §Verity signatures). The same
 * arguments give the same bytes.
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function signRootHash(
  rootHash: string,
  certificate: Uint8Array,
  privateKey: KeyObject,
): Uint8Array {
  const signerInfo = sequence(
    version1,
    issuerAndSerialNumber(certificate),
    sha256Algorithm,
    sequence(RSA_ENCRYPTION, nothing()),
    octets(signed(new TextEncoder().encode(rootHash), privateKey)),
  );
  const signedData = sequence(
    version1,
    setOf(sha256Algorithm),
    sequence(DATA),
    tagged(0, certificate),
    setOf(signerInfo),
  );
  return sequence(SIGNED_DATA, tagged(0, signedData));
}
