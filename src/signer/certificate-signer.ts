/** The signers that have a certificate. Its private key is in memory or elsewhere. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { digestOf, hash } from '../digest.ts';
import { digestToSign, signAuthenticode } from './cms.ts';
import { type Verdict, verifyAuthenticode } from './cms-verification.ts';
import type { Signer, ToSign, Verifier } from './signer.ts';

/** Returns the verifier for a certificate. */
export function certificateVerifier(certificate: X509Certificate): Verifier {
  const der = Uint8Array.from(certificate.raw);
  return { verify: (signatures, imageDigest) => bestVerdict(signatures, imageDigest, der) };
}

/** Returns the signer for a certificate and its private key. Each distinct digest is signed once. */
export function certificateSigner(certificate: X509Certificate, privateKey: KeyObject): Signer {
  const der = Uint8Array.from(certificate.raw);
  const signed = new Map<string, Uint8Array>();
  return {
    ...certificateIdentity(certificate),
    sign(imageDigest) {
      const key = digestOf(imageDigest);
      const known = signed.get(key);
      if (known !== undefined) return known;
      const signature = signAuthenticode(imageDigest, der, privateKey);
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

/** Returns the signer for a certificate whose key is elsewhere. It asks for each digest once. */
export function remoteSigner(certificate: X509Certificate, signDigests: SignDigests): Signer {
  const der = Uint8Array.from(certificate.raw);
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
      if (signature) signed.set(key, signAuthenticode(imageDigest, der, signature));
    }
  };
  return {
    ...certificateIdentity(certificate),
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
): Pick<Signer, 'fingerprint' | 'signatureSize' | 'verify'> {
  const der = Uint8Array.from(certificate.raw);
  return {
    fingerprint: hash(der),
    signatureSize: sizeOfSignature(certificate, der),
    ...certificateVerifier(certificate),
  };
}

/** RSA signatures are as long as their modulus, so any one of them tells the size of all. */
function sizeOfSignature({ publicKey }: X509Certificate, der: Uint8Array): number {
  const modulusLength = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  return signAuthenticode(new Uint8Array(32), der, new Uint8Array(modulusLength / 8)).length;
}

function bestVerdict(
  signatures: readonly Uint8Array[],
  imageDigest: Uint8Array,
  certificate: Uint8Array,
): Verdict {
  const reasons: string[] = [];
  for (const signature of signatures.slice(0, MAX_SIGNATURES)) {
    const verdict = verifyAuthenticode(signature, imageDigest, certificate);
    if (verdict.kind === 'valid') return verdict;
    reasons.push(verdict.because);
  }
  const because = reasons.length === 0 ? 'it is not signed' : reasons.join('; ');
  return { kind: 'invalid', because };
}

/** No sound image carries more signatures. The rest of a hostile table is ignored. */
const MAX_SIGNATURES = 16;
