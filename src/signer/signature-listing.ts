/** What a signature on a program says, whoever made it: signer, algorithm, digest, and the certificates it carries. */
import { createHash, verify, type X509Certificate } from 'node:crypto';
import type { DigestName } from '../secureboot/forbidden.ts';
import { certificateIn, chainFrom } from './chain.ts';
import {
  CONTENT_TYPE,
  MESSAGE_DIGEST,
  nameOf,
  retagged,
  SHA_256,
  SIGNED_DATA,
  SPC_INDIRECT_DATA,
} from './cms.ts';
import {
  childrenOf,
  type Element,
  EXPLICIT_0,
  OCTET_STRING,
  oid,
  parseDer,
  SEQUENCE,
  SET,
  sameBytes,
  withoutPadding,
} from './der.ts';

/** A signature as it describes itself; nothing of it is to be believed unless it verifies. */
export interface ListedSignature {
  /** What the digest of the program is made with; undefined for an algorithm that firmware does not take. */
  readonly digestName: DigestName | undefined;
  /** The digest of the program, in hexadecimal. */
  readonly digest: string;
  /** The signer's certificate and those that lead on from it; empty when the signature carries none of it. */
  readonly chain: readonly X509Certificate[];
  /** How many certificates it carries. */
  readonly certificates: number;
  /** Whether the signer's key made it over the digest that it names. */
  readonly verifies: boolean;
}

const DIGESTS: readonly (readonly [DigestName, Uint8Array])[] = [
  ['sha256', SHA_256],
  ['sha384', oid('2.16.840.1.101.3.4.2.2')],
  ['sha512', oid('2.16.840.1.101.3.4.2.3')],
];
/** More than a chain has; the rest of a hostile signature is not looked at. */
const MAX_CERTIFICATES = 32;

/** What a signature is about, and by whom it may be. */
interface Spoken {
  readonly indirect: Element;
  readonly algorithm: Element | undefined;
  readonly digest: Element | undefined;
  readonly rest: readonly Element[];
}

function spokenIn(bytes: Uint8Array): Spoken | string {
  const [type, wrapped] = childrenOf(parseDer(withoutPadding(bytes)), SEQUENCE);
  if (!sameBytes(type?.whole, SIGNED_DATA)) return 'it is not PKCS#7 SignedData';
  const [, , contentInfo, ...rest] = childrenOf(childrenOf(wrapped, EXPLICIT_0)[0], SEQUENCE);
  const [contentType, content] = childrenOf(contentInfo, SEQUENCE);
  const indirect = childrenOf(content, EXPLICIT_0)[0];
  if (!sameBytes(contentType?.whole, SPC_INDIRECT_DATA) || indirect === undefined) {
    return 'it does not speak about an image';
  }
  const [algorithm, digest] = childrenOf(childrenOf(indirect, SEQUENCE)[1], SEQUENCE);
  return { indirect, algorithm, digest, rest };
}

/** Returns the digest of the program that a signature names, in hexadecimal by its algorithm. */
export function digestNamed(bytes: Uint8Array): Partial<Record<DigestName, string>> {
  const spoken = spokenIn(bytes);
  if (typeof spoken === 'string') return {};
  const name = digestNameOf(spoken.algorithm);
  if (name === undefined || spoken.digest?.tag !== OCTET_STRING) return {};
  return { [name]: Buffer.from(spoken.digest.content).toString('hex') };
}

/** Returns what a signature says (PKCS#7 §9, Authenticode), or why it is none. */
export function readSignature(bytes: Uint8Array): ListedSignature | string {
  const spoken = spokenIn(bytes);
  if (typeof spoken === 'string') return spoken;
  const { indirect, algorithm, digest, rest } = spoken;
  const signers = childrenOf(rest.at(-1), SET);
  if (digest?.tag !== OCTET_STRING || signers.length !== 1) {
    return `expected a digest and one signer, got ${signers.length}`;
  }
  const carried = childrenOf(rest[0], EXPLICIT_0);
  const others = carried.slice(0, MAX_CERTIFICATES).flatMap(({ whole }) => certificateIn(whole));
  const leaf = others.find((each) => isOf(each, signers[0]));
  return {
    digestName: digestNameOf(algorithm),
    digest: Buffer.from(digest.content).toString('hex'),
    chain: leaf === undefined ? [] : chainFrom(leaf, others),
    certificates: carried.length,
    verifies: leaf !== undefined && isMadeBy(leaf, signers[0], indirect),
  };
}

function digestNameOf(algorithm: Element | undefined): DigestName | undefined {
  const [identifier] = childrenOf(algorithm, SEQUENCE);
  return DIGESTS.find(([, known]) => sameBytes(identifier?.whole, known))?.[0];
}

/** Tells whether a signer is named as the holder of a certificate: by issuer and serial number. */
function isOf(certificate: X509Certificate, signer: Element | undefined): boolean {
  const [issuer, serialNumber] = childrenOf(childrenOf(signer, SEQUENCE)[1], SEQUENCE);
  const name = nameOf(Uint8Array.from(certificate.raw));
  return (
    sameBytes(issuer?.whole, name?.issuer) && sameBytes(serialNumber?.whole, name?.serialNumber)
  );
}

/** Tells whether a key signed these attributes, and they are about this content (PKCS#7 §9.3). */
function isMadeBy(
  { publicKey }: X509Certificate,
  signer: Element | undefined,
  content: Element,
): boolean {
  const [, , algorithm, attributes, , signature] = childrenOf(signer, SEQUENCE);
  const name = digestNameOf(algorithm);
  if (name === undefined || attributes?.tag !== EXPLICIT_0 || signature?.tag !== OCTET_STRING) {
    return false;
  }
  const value = (type: Uint8Array) => {
    const found = attributes.children.find(({ children }) => sameBytes(children[0]?.whole, type));
    return childrenOf(found?.children[1], SET)[0];
  };
  const digest = createHash(name).update(content.content).digest();
  const isAbout =
    sameBytes(value(CONTENT_TYPE)?.whole, SPC_INDIRECT_DATA) &&
    sameBytes(value(MESSAGE_DIGEST)?.content, digest);
  try {
    return isAbout && verify(name, retagged(attributes.whole, SET), publicKey, signature.content);
  } catch {
    return false;
  }
}
