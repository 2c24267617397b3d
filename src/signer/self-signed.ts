/** Self-signed X.509 certificates for RSA keys, as owners of machines make them (RFC 5280 §4). */
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

/** What a certificate says. Times in seconds since the epoch, the first and the last at which it is valid. */
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
/** SHA-256 is cut to the length that key identifiers have always had (RFC 7093 §2). */
const IDENTIFIER_SIZE = 20;

/**
 * Returns DER of a certificate for a key, signed with it. Firmware takes any certificate that is in
 * its variables for an authority; this one says the same of itself, as those of openssl do.
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

/** With the first two bits 01 a number is positive, and its shortest form has all of its bytes. */
function positive(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte, index) => (index === 0 ? (byte & 0x3f) | 0x40 : byte));
}
