/** The signers that have a certificate. Its private key is in memory or elsewhere. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { digestOf, hash } from '../digest.ts';
import { digestToSign, signAuthenticode } from './cms.ts';
import { type Verdict, verifyAuthenticode } from './cms-verification.ts';
import type { Signer, ToSign, Verifier } from './signer.ts';

/** Certificates that every signature carries behind the signer's own, so that firmware finds the way to its root. */
type Intermediates = readonly X509Certificate[];

/** Returns the verifier for a certificate. A signature without the intermediates is not valid. */
export function certificateVerifier(
  certificate: X509Certificate,
  intermediates: Intermediates = [],
): Verifier {
  const der = derOf(certificate);
  const more = intermediates.map(derOf);
  return {
    certificate: der,
    verify: (signatures, imageDigest) => bestVerdict(signatures, imageDigest, der, more),
  };
}

/** One copy for all: what was read in a certificate is remembered by it. */
const ders = new WeakMap<X509Certificate, Uint8Array>();

function derOf(certificate: X509Certificate): Uint8Array {
  const der = ders.get(certificate) ?? Uint8Array.from(certificate.raw);
  ders.set(certificate, der);
  return der;
}

/** Returns the signer for a certificate and its private key. Each distinct digest is signed once. */
export function certificateSigner(
  certificate: X509Certificate,
  privateKey: KeyObject,
  intermediates: Intermediates = [],
): Signer {
  const der = derOf(certificate);
  const more = intermediates.map(derOf);
  const signed = new Map<string, Uint8Array>();
  return {
    ...certificateIdentity(certificate, intermediates),
    sign(imageDigest) {
      const key = digestOf(imageDigest);
      const known = signed.get(key);
      if (known !== undefined) return known;
      const signature = signAuthenticode(imageDigest, der, privateKey, more);
      signed.set(key, signature);
      return signature;
    },
  };
}

/** A SHA-256 digest (32 bytes) that a key has to sign, and the name of its program in errors. */
export interface DigestToSign {
  readonly name: string;
  readonly digest: Uint8Array;
}

/**
 * Returns a checked signature (PKCS#1 v1.5) of each digest, in the same order.
 * @throws {SIGNER_FAILED}
 */
export type SignDigests = (digests: readonly DigestToSign[]) => readonly Uint8Array[];

/** Returns the signer for a certificate whose private key is elsewhere. Each digest is asked for once. */
export function remoteSigner(
  certificate: X509Certificate,
  signDigests: SignDigests,
  intermediates: Intermediates = [],
): Signer {
  const der = derOf(certificate);
  const more = intermediates.map(derOf);
  const signed = new Map<string, Uint8Array>();
  const unsigned = (programs: readonly ToSign[]) =>
    [...new Map(programs.map((each) => [digestOf(each.imageDigest), each]))].filter(
      ([key]) => !signed.has(key),
    );
  const prepare = (programs: readonly ToSign[], likely: readonly ToSign[] = []): void => {
    if (unsigned(programs).length === 0) return;
    const fresh = unsigned([...programs, ...likely]);
    const signatures = signDigests(
      fresh.map(([, { name, imageDigest }]) => ({ name, digest: digestToSign(imageDigest) })),
    );
    for (const [index, [key, { imageDigest }]] of fresh.entries()) {
      const signature = signatures[index];
      if (signature) signed.set(key, signAuthenticode(imageDigest, der, signature, more));
    }
  };
  return {
    ...certificateIdentity(certificate, intermediates),
    prepare,
    sign(imageDigest) {
      prepare([{ name: 'program', imageDigest }]);
      return signed.get(digestOf(imageDigest));
    },
  };
}

/** Returns the parts of a signer that follow from its certificate alone. */
export function certificateIdentity(
  certificate: X509Certificate,
  intermediates: Intermediates = [],
): Omit<Signer, 'sign'> {
  return {
    fingerprint: hash(derOf(certificate)),
    signatureSize: sizeOfSignature(certificate, intermediates),
    ...certificateVerifier(certificate, intermediates),
  };
}

/** RSA signatures are as long as their modulus: one over anything, of anything, tells the size of all. */
function sizeOfSignature(certificate: X509Certificate, intermediates: Intermediates): number {
  const modulusLength = certificate.publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  const anySignature = new Uint8Array(modulusLength / 8);
  const more = intermediates.map(derOf);
  return signAuthenticode(new Uint8Array(32), derOf(certificate), anySignature, more).length;
}

function bestVerdict(
  signatures: readonly Uint8Array[],
  imageDigest: Uint8Array,
  certificate: Uint8Array,
  intermediates: readonly Uint8Array[],
): Verdict {
  const reasons: string[] = [];
  for (const signature of signatures.slice(0, MAX_SIGNATURES)) {
    const verdict = verifyAuthenticode(signature, imageDigest, certificate, intermediates);
    if (verdict.kind === 'valid') return verdict;
    reasons.push(verdict.because);
  }
  const because = reasons.length === 0 ? 'it is not signed' : reasons.join('; ');
  return { kind: 'invalid', because };
}

/** No sound image carries more signatures. The rest of a hostile table is ignored. */
const MAX_SIGNATURES = 16;
