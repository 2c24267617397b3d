/** Makes PKCS#7 SignedData over bytes that it does not contain, without signed attributes. */
import type { KeyObject } from 'node:crypto';
import { issuerAndSerialNumber, RSA_ENCRYPTION, sha256Algorithm, signed, version1 } from './cms.ts';
import { nothing, octets, oid, sequence, setOf, tagged } from './der.ts';

const DATA = oid('1.2.840.113549.1.7.1');

/**
 * Returns DER of the SignedData alone, without a ContentInfo around it, for a certificate in DER and
 * its RSA key. The same arguments give the same bytes.
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function signDetached(
  bytes: Uint8Array,
  certificate: Uint8Array,
  privateKey: KeyObject,
): Uint8Array<ArrayBuffer> {
  const signerInfo = sequence(
    version1,
    issuerAndSerialNumber(certificate),
    sha256Algorithm,
    sequence(RSA_ENCRYPTION, nothing()),
    octets(signed(bytes, privateKey)),
  );
  return sequence(
    version1,
    setOf(sha256Algorithm),
    sequence(DATA),
    tagged(0, certificate),
    setOf(signerInfo),
  );
}
