/** The signer that has a certificate, and its private key in memory or what signs with it. */
import type { X509Certificate } from 'node:crypto';
import { digestOf, hash } from '../digest.ts';
import { type SigningKey, signAuthenticode } from './cms.ts';
import { type Verdict, verifyAuthenticode } from './cms-verification.ts';
import type { Signer, Verifier } from './signer.ts';

/** Returns the verifier for a certificate. */
export function certificateVerifier(certificate: X509Certificate): Verifier {
  const der = Uint8Array.from(certificate.raw);
  return { verify: (signatures, imageDigest) => bestVerdict(signatures, imageDigest, der) };
}

/** Returns the signer for a certificate and its private key. Each distinct digest is signed once. */
export function certificateSigner(certificate: X509Certificate, privateKey: SigningKey): Signer {
  const der = Uint8Array.from(certificate.raw);
  const signed = new Map<string, Uint8Array>();
  return {
    fingerprint: hash(der),
    signatureSize: sizeOfSignature(certificate, der),
    sign(imageDigest) {
      const key = digestOf(imageDigest);
      const known = signed.get(key);
      if (known !== undefined) return known;
      const signature = signAuthenticode(imageDigest, der, privateKey);
      signed.set(key, signature);
      return signature;
    },
    ...certificateVerifier(certificate),
  };
}

/** RSA signatures are as long as their modulus: one over anything, of anything, tells the size of all. */
function sizeOfSignature({ publicKey }: X509Certificate, der: Uint8Array): number {
  const modulusLength = publicKey.asymmetricKeyDetails?.modulusLength ?? 0;
  const blank = (): Uint8Array => new Uint8Array(modulusLength / 8);
  return signAuthenticode(new Uint8Array(32), der, blank).length;
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

/** More signatures than anyone puts on an image; the rest of a hostile table is not looked at. */
const MAX_SIGNATURES = 16;
