/** The Signer port: who signs images, and what a signature found on one is worth. */
import type { Verdict } from './cms-verification.ts';

/** Judges signatures. */
export interface Verifier {
  /** Judges all signatures of one image by its digest (32 bytes): one that is valid is enough. */
  verify(signatures: readonly Uint8Array[], imageDigest: Uint8Array): Verdict;
}

/** A program that is to be signed: what an error calls it, and its Authenticode digest (32 bytes). */
export interface ToSign {
  readonly name: string;
  readonly imageDigest: Uint8Array;
}

/** Signs the Authenticode digests of images, and judges signatures. */
export interface Signer extends Verifier {
  /** Hexadecimal SHA-256 of the certificate in DER, or `unsigned`: part of the names of what it signs. */
  readonly fingerprint: string;
  /** Bytes that every signature takes; 0 of one who does not sign. */
  readonly signatureSize: number;
  /**
   * Returns DER of a signature over an image digest (32 bytes), or undefined from one who does not sign.
   * @throws {SIGNER_FAILED}
   */
  sign(imageDigest: Uint8Array): Uint8Array | undefined;
  /**
   * Gets the signatures of all these programs at once, each checked; `sign` then has them. Of one whose
   * key is not at hand only: whoever signs is asked before the first write, and as seldom as possible.
   * @param likely what may be wanted later in the run, signed with the others if anybody is asked at all
   * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
   */
  prepare?(programs: readonly ToSign[], likely?: readonly ToSign[]): void;
  /** Of one that cannot sign, and with which is found out what is to be signed. */
  readonly onlyAsks?: true;
}

/** Tells whether a signer is the one that signs nothing. */
export function isUnsigned({ fingerprint }: Pick<Signer, 'fingerprint'>): boolean {
  return fingerprint === unsigned.fingerprint;
}

/** Signs nothing and asks for no signature: the explicit choice of a machine without Secure Boot. */
export const unsigned: Signer = {
  fingerprint: 'unsigned',
  signatureSize: 0,
  sign: () => undefined,
  // A signature that nobody asked for does no harm, and rewriting an image to be rid of it might.
  verify: () => ({ kind: 'valid' }),
};
