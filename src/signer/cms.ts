/** Makes the PKCS#7 SignedData that firmware wants around an image's digest (Authenticode). */
import { createHash, type KeyObject, sign } from 'node:crypto';
import { EspError } from '../error.ts';
import {
  bits,
  childrenOf,
  EXPLICIT_0,
  INTEGER,
  integer,
  nothing,
  octets,
  oid,
  parseDer,
  SEQUENCE,
  sequence,
  setOf,
  tagged,
  taggedBytes,
} from './der.ts';

export const SIGNED_DATA = oid('1.2.840.113549.1.7.2');
export const SPC_INDIRECT_DATA = oid('1.3.6.1.4.1.311.2.1.4');
const SPC_PE_IMAGE_DATA = oid('1.3.6.1.4.1.311.2.1.15');
export const CONTENT_TYPE = oid('1.2.840.113549.1.9.3');
export const MESSAGE_DIGEST = oid('1.2.840.113549.1.9.4');
export const SHA_256 = oid('2.16.840.1.101.3.4.2.1');
export const RSA_ENCRYPTION = oid('1.2.840.113549.1.1.1');

export const sha256Algorithm = sequence(SHA_256, nothing());
export const version1 = integer(1);

/**
 * Firmware finds the digest algorithm without parsing: EDK2 compares the bytes at offset 32 with
 * the identifier. It stands there only while the outer lengths have the form `82 xx xx`, which
 * means 256 to 65535 bytes, and while the version and a single digest algorithm come first.
 */
const MAX_LENGTH = 65_535;

/** Tag and length of an element under 128 bytes; the signed digest leaves them out (PKCS#7 §9.3). */
const SHORT_HEADER = 2;

/**
 * Returns DER of the signature over an image's Authenticode digest (32 bytes), for a certificate in DER
 * and its RSA key. The same arguments give the same bytes: PKCS#1 v1.5 has no randomness, and there is
 * no signingTime, because an image whose bytes depend on the hour cannot be compared with a rebuilt one,
 * and no firmware has a clock that it would compare the time with.
 * @param intermediates certificates in DER that lead from the signer's to one that firmware knows
 * @throws {SIGNER_FAILED} when the key cannot sign, or the certificate is too large for a signature
 */
export function signAuthenticode(
  imageDigest: Uint8Array,
  certificate: Uint8Array,
  privateKey: SigningKey,
  intermediates: readonly Uint8Array[] = [],
): Uint8Array {
  const content = indirectData(imageDigest);
  const attributes = signedAttributes(content);
  const signerInfo = sequence(
    version1,
    issuerAndSerialNumber(certificate),
    sha256Algorithm,
    retagged(attributes, EXPLICIT_0),
    sequence(RSA_ENCRYPTION, nothing()),
    octets(signed(attributes, privateKey)),
  );
  const signedData = sequence(
    version1,
    setOf(sha256Algorithm),
    sequence(SPC_INDIRECT_DATA, tagged(0, content)),
    tagged(0, certificate, ...intermediates),
    setOf(signerInfo),
  );
  const contentInfo = sequence(SIGNED_DATA, tagged(0, signedData));
  if (contentInfo.length <= MAX_LENGTH) return contentInfo;
  throw new EspError(
    'SIGNER_FAILED',
    `signature: expected at most ${MAX_LENGTH} bytes, got ${contentInfo.length} with a certificate of ${certificate.length}${intermediates.length > 0 ? ` and ${intermediates.length} intermediate ones` : ''}`,
    {
      hint: 'sign with a smaller certificate: firmware does not find its way in a longer signature',
    },
  );
}

/**
 * Returns what a key signs for an image with this Authenticode digest: the SHA-256 digest (32
 * bytes) of the signed attributes. It is the same for every certificate.
 */
export function digestToSign(imageDigest: Uint8Array): Uint8Array {
  return sha256(signedAttributes(indirectData(imageDigest)));
}

function signedAttributes(content: Uint8Array): Uint8Array {
  return setOf(
    attribute(CONTENT_TYPE, SPC_INDIRECT_DATA),
    attribute(MESSAGE_DIGEST, octets(sha256(content.subarray(SHORT_HEADER)))),
  );
}

/** SpcIndirectDataContent: declares that these 32 bytes are the digest of a PE image. */
function indirectData(imageDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  const link = tagged(2, taggedBytes(0, OBSOLETE));
  return sequence(
    sequence(SPC_PE_IMAGE_DATA, sequence(bits(new Uint8Array()), tagged(0, link))),
    sequence(sha256Algorithm, octets(imageDigest)),
  );
}

/** The file name that every signing tool writes, in UTF-16BE. */
const OBSOLETE = Uint8Array.from([...'<<<Obsolete>>>'].flatMap((c) => [0, c.charCodeAt(0)]));

function attribute(type: Uint8Array, value: Uint8Array): Uint8Array {
  return sequence(type, setOf(value));
}

export function issuerAndSerialNumber(certificate: Uint8Array): Uint8Array {
  const name = nameOf(certificate);
  if (name !== undefined) return sequence(name.issuer, name.serialNumber);
  throw new EspError(
    'SIGNER_FAILED',
    'the certificate to sign for: expected an issuer and a serial number in its DER, got none',
  );
}

/** An RSA key, or a signature (PKCS#1 v1.5 with SHA-256) that was made elsewhere. */
export type SigningKey = KeyObject | Uint8Array;

export function signed(bytes: Uint8Array, privateKey: SigningKey): Uint8Array {
  if (privateKey instanceof Uint8Array) return privateKey;
  try {
    return sign('sha256', bytes, privateKey);
  } catch (cause) {
    throw new EspError('SIGNER_FAILED', 'the private key cannot sign', { cause });
  }
}

/** A certificate's issuer and serial number, each as whole DER. */
interface Name {
  readonly issuer: Uint8Array;
  readonly serialNumber: Uint8Array;
}

/** Certificates that were parsed before: a run signs and checks many times with one. */
const names = new WeakMap<Uint8Array, Name>();

/** Returns issuer and serial number of a certificate (RFC 5280 §4.1). */
export function nameOf(certificate: Uint8Array): Name | undefined {
  const name = names.get(certificate) ?? readName(certificate);
  if (name !== undefined) names.set(certificate, name);
  return name;
}

function readName(certificate: Uint8Array): Name | undefined {
  const root = parseDer(certificate);
  const fields = childrenOf(childrenOf(root, SEQUENCE)[0], SEQUENCE);
  // The version is optional, and shifts the place of every later field.
  const [serialNumber, , issuer] = fields[0]?.tag === EXPLICIT_0 ? fields.slice(1) : fields;
  if (serialNumber?.tag !== INTEGER || issuer?.tag !== SEQUENCE) return undefined;
  return { issuer: issuer.whole, serialNumber: serialNumber.whole };
}

/**
 * Returns attributes under another tag: they are stored as `[0]`, but signed as a SET (PKCS#7
 * §9.3).
 */
export function retagged(element: Uint8Array, tag: number): Uint8Array {
  const copy = Uint8Array.from(element);
  copy[0] = tag;
  return copy;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
