/**
 * Checks whether the PKCS#7 SignedData on an image is valid for that image and for our certificate.
 */
import { verify, X509Certificate } from 'node:crypto';
import {
  CONTENT_TYPE,
  MESSAGE_DIGEST,
  nameOf,
  RSA_ENCRYPTION,
  retagged,
  SHA_256,
  SIGNED_DATA,
  SPC_INDIRECT_DATA,
  sha256,
} from './cms.ts';
import {
  childrenOf,
  type Element,
  EXPLICIT_0,
  integer,
  nothing,
  OCTET_STRING,
  octets,
  parseDer,
  SEQUENCE,
  SET,
  sameBytes,
  sequence,
  setOf,
  withoutPadding,
} from './der.ts';

/** Whether a signature is valid for an image and a certificate; if not, why. */
export type Verdict =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly because: string };

/**
 * Checks a signature found on an image against the image's own digest (32 bytes) and the certificate
 * (DER) that it should be from; zeros that pad its table entry may stand behind it. Accepts what sbsign
 * and this program make: one signer, SHA-256, RSA, signed attributes. The certificate's dates and chain
 * are not looked at, as in firmware.
 * @param intermediates certificates (DER) that the signature has to carry as well
 */
export function verifyAuthenticode(
  signature: Uint8Array,
  imageDigest: Uint8Array,
  certificate: Uint8Array,
  intermediates: readonly Uint8Array[] = [],
): Verdict {
  const data = readSignedData(signature);
  if (typeof data === 'string') return { kind: 'invalid', because: data };
  const lacksOne = intermediates.some(
    (each) => !data.certificates.some(({ whole }) => sameBytes(whole, each)),
  );
  const because =
    checks.find(([, passes]) => !passes(data, imageDigest, certificate))?.[0] ??
    (lacksOne ? 'it does not carry the intermediate certificates' : undefined);
  return because === undefined ? { kind: 'valid' } : { kind: 'invalid', because };
}

/**
 * Returns the certificates (DER) inside a signature for which it is valid, given the image's digest
 * (32 bytes). Returns none when the structure of the signature is wrong.
 */
export function signersIn(signature: Uint8Array, imageDigest: Uint8Array): readonly Uint8Array[] {
  const data = readSignedData(signature);
  if (typeof data === 'string') return [];
  // The signature is parsed once for all certificates: it may carry thousands.
  return data.certificates
    .map(({ whole }) => whole)
    .filter((certificate) => checks.every(([, passes]) => passes(data, imageDigest, certificate)));
}

/**
 * Tells whether a signature is whole and of a certificate (DER), whatever image it is for: without a look
 * at the image itself.
 */
export function isWholeSignature(signature: Uint8Array, certificate: Uint8Array): boolean {
  // What carries the certificate nowhere is not worth parsing: crafted bytes make many elements.
  if (
    !Buffer.from(signature.buffer, signature.byteOffset, signature.length).includes(
      Buffer.from(certificate),
    )
  )
    return false;
  const data = readSignedData(signature);
  if (typeof data === 'string') return false;
  const digest = digestIn(data.content);
  return digest !== undefined && checks.every(([, passes]) => passes(data, digest, certificate));
}

/** Returns the bare RSA signature inside one of ours, or undefined when its structure is wrong. */
export function bareSignature(signature: Uint8Array): Uint8Array | undefined {
  const data = readSignedData(signature);
  return typeof data === 'string' ? undefined : data.signature;
}

/** The parts of a signature that count. They come from bytes that are not verified yet. */
interface SignedData {
  readonly digestAlgorithms: Element;
  readonly content: Element;
  readonly certificates: readonly Element[];
  readonly issuer: Uint8Array;
  readonly serialNumber: Uint8Array;
  readonly digestAlgorithm: Element | undefined;
  readonly attributes: Element;
  readonly signatureAlgorithm: Element | undefined;
  readonly signature: Uint8Array;
}

type Check = (data: SignedData, imageDigest: Uint8Array, certificate: Uint8Array) => boolean;

/** Every check with what a failure means, in the order in which a person wants to know. */
const checks: readonly (readonly [because: string, passes: Check])[] = [
  [
    'it is of another certificate',
    (data, _digest, certificate) => {
      const name = nameOf(certificate);
      return (
        sameBytes(data.issuer, name?.issuer) && sameBytes(data.serialNumber, name?.serialNumber)
      );
    },
  ],
  [
    // Firmware lists keys by certificate, and takes the certificate from the signature.
    'it does not carry our certificate',
    (data, _digest, certificate) =>
      data.certificates.some(({ whole }) => sameBytes(whole, certificate)),
  ],
  [
    'its digest algorithm is not SHA-256',
    ({ digestAlgorithms, digestAlgorithm }) =>
      isOneOf(
        digestAlgorithms,
        forms(SHA_256).map((form) => setOf(form)),
      ) && isOneOf(digestAlgorithm, forms(SHA_256)),
  ],
  [
    'its signature algorithm is not RSA',
    ({ signatureAlgorithm }) => isOneOf(signatureAlgorithm, forms(RSA_ENCRYPTION)),
  ],
  ['it is of another image', (data, imageDigest) => sameBytes(digestIn(data.content), imageDigest)],
  [
    'its signed content type is not that of an image',
    (data) => sameBytes(attributeValue(data, CONTENT_TYPE)?.whole, SPC_INDIRECT_DATA),
  ],
  [
    'its signed digest is not that of its content',
    (data) =>
      sameBytes(attributeValue(data, MESSAGE_DIGEST)?.whole, octets(sha256(data.content.content))),
  ],
  ['the signature does not verify', (data, _digest, certificate) => isSigned(data, certificate)],
];

/** The certificate may be foreign, and its key unreadable or unable to sign like this. */
function isSigned({ attributes, signature }: SignedData, certificate: Uint8Array): boolean {
  try {
    const { publicKey } = new X509Certificate(certificate);
    const isRsa = publicKey.asymmetricKeyType === 'rsa';
    return isRsa && verify('sha256', retagged(attributes.whole, SET), publicKey, signature);
  } catch {
    return false;
  }
}

/** Returns the parts of a signature, or what is wrong with its structure (PKCS#7 §9, §11). */
function readSignedData(bytes: Uint8Array): SignedData | string {
  const root = parseDer(withoutPadding(bytes));
  if (root === undefined) return 'it is not DER';
  const [type, wrapped] = childrenOf(root, SEQUENCE);
  if (!sameBytes(type?.whole, SIGNED_DATA)) return 'it is not PKCS#7 SignedData';
  const [version, digestAlgorithms, contentInfo, certificates, ...rest] = childrenOf(
    childrenOf(wrapped, EXPLICIT_0)[0],
    SEQUENCE,
  );
  if (!isOneOf(version, [VERSION_1]) || digestAlgorithms === undefined) {
    return 'its version is not 1';
  }
  const [contentType, content] = childrenOf(contentInfo, SEQUENCE);
  const indirect = childrenOf(content, EXPLICIT_0)[0];
  if (!sameBytes(contentType?.whole, SPC_INDIRECT_DATA) || indirect === undefined) {
    return 'it does not speak about an image';
  }
  const signers = childrenOf(rest.at(-1), SET);
  if (signers.length !== 1) return `expected one signer, got ${signers.length}`;
  const signer = readSigner(signers[0]);
  if (signer === undefined) return 'its signer is malformed or has no signed attributes';
  return {
    digestAlgorithms,
    content: indirect,
    certificates: childrenOf(certificates, EXPLICIT_0),
    ...signer,
  };
}

function readSigner(
  signer: Element | undefined,
): Omit<SignedData, 'digestAlgorithms' | 'content' | 'certificates'> | undefined {
  const [version, name, digestAlgorithm, attributes, signatureAlgorithm, signature] = childrenOf(
    signer,
    SEQUENCE,
  );
  const [issuer, serialNumber] = childrenOf(name, SEQUENCE);
  const shaped =
    isOneOf(version, [VERSION_1]) &&
    attributes?.tag === EXPLICIT_0 &&
    signature?.tag === OCTET_STRING;
  if (!shaped || issuer === undefined || serialNumber === undefined) return undefined;
  return {
    issuer: issuer.whole,
    serialNumber: serialNumber.whole,
    digestAlgorithm,
    attributes,
    signatureAlgorithm,
    signature: signature.content,
  };
}

/** Returns the digest in an SpcIndirectDataContent when it is SHA-256. */
function digestIn(content: Element): Uint8Array | undefined {
  const [algorithm, digest] = childrenOf(childrenOf(content, SEQUENCE)[1], SEQUENCE);
  const known = isOneOf(algorithm, forms(SHA_256)) && digest?.tag === OCTET_STRING;
  return known ? digest.content : undefined;
}

const VERSION_1 = integer(1);

/** Returns both encodings of an algorithm without parameters: with NULL, and with nothing. */
function forms(algorithm: Uint8Array): readonly Uint8Array[] {
  return [sequence(algorithm, nothing()), sequence(algorithm)];
}

function isOneOf(element: Element | undefined, encodings: readonly Uint8Array[]): boolean {
  return encodings.some((encoding) => sameBytes(element?.whole, encoding));
}

/** Returns the value of a signed attribute if it occurs exactly once, with exactly one value. */
function attributeValue(data: SignedData, type: Uint8Array): Element | undefined {
  const found = data.attributes.children.filter(({ children }) =>
    sameBytes(children[0]?.whole, type),
  );
  const values = childrenOf(found[0]?.children[1], SET);
  return found.length === 1 && values.length === 1 ? values[0] : undefined;
}
