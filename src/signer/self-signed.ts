/** Makes self-signed X.509 certificates for the RSA keys of a machine's owner (RFC 5280 §4). */
import type { KeyObject } from 'node:crypto';
import { RSA_ENCRYPTION, sha256, signed } from './cms.ts';
import {
  bigInteger,
  bits,
  integer,
  nothing,
  octets,
  oid,
  sequence,
  setOf,
  tagged,
  time,
  utf8,
  yes,
} from './der.ts';

/** The content of a certificate. Times are the first and last valid second since the epoch. */
export interface CertificateText {
  readonly commonName: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Sixteen random bytes. */
  readonly serialNumber: Uint8Array;
}

const VERSION_3 = tagged(0, integer(2));
const COMMON_NAME = oid('2.5.4.3');
const SUBJECT_KEY_IDENTIFIER = oid('2.5.29.14');
const BASIC_CONSTRAINTS = oid('2.5.29.19');
const RSA_WITH_SHA_256 = sequence(oid('1.2.840.113549.1.1.11'), nothing());
/** In bytes. Key identifiers keep their traditional length, so SHA-256 is cut (RFC 7093 §2). */
const IDENTIFIER_SIZE = 20;

/**
 * Returns DER of a certificate for a key, signed with that key. Firmware treats any certificate in
 * its variables as an authority, so this one calls itself an authority too, as those of openssl do.
 * @throws {SIGNER_FAILED} when the key cannot sign
 */
export function selfSignedCertificate(
  { commonName, notBefore, notAfter, serialNumber }: CertificateText,
  { publicKey, privateKey }: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
): Uint8Array<ArrayBuffer> {
  const name = sequence(setOf(sequence(COMMON_NAME, utf8(commonName))));
  const keyBytes = publicKey.export({ type: 'pkcs1', format: 'der' });
  const identifier = sha256(keyBytes).subarray(0, IDENTIFIER_SIZE);
  const body = sequence(
    VERSION_3,
    bigInteger(positive(serialNumber)),
    RSA_WITH_SHA_256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    sequence(sequence(RSA_ENCRYPTION, nothing()), bits(keyBytes)),
    tagged(
      3,
      sequence(
        sequence(SUBJECT_KEY_IDENTIFIER, octets(octets(identifier))),
        sequence(BASIC_CONSTRAINTS, yes(), octets(sequence(yes()))),
      ),
    ),
  );
  return sequence(body, RSA_WITH_SHA_256, bits(signed(body, privateKey)));
}

/**
 * Sets the first two bits to 01: the number is positive, and its shortest form has all its bytes.
 */
function positive(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte, index) => (index === 0 ? (byte & 0x3f) | 0x40 : byte));
}
