/** The Signer port: signs images, and judges the signatures found on them. */
import type { Verdict } from './cms-verification.ts';

/** Judges signatures. */
export interface Verifier {
  /** DER of the certificate whose signatures are taken; absent of one who takes all. */
  readonly certificate?: Uint8Array;
  /** Judges all signatures of one image by its digest (32 bytes): one that is valid is enough. */
  verify(signatures: readonly Uint8Array[], imageDigest: Uint8Array): Verdict;
}

/** A program that gets signed: its name in errors, and its Authenticode digest (32 bytes). */
export interface ToSign {
  readonly name: string;
  readonly imageDigest: Uint8Array;
}

/** Signs the Authenticode digests of images, and judges signatures. */
export interface Signer extends Verifier {
  /**
   * Hexadecimal SHA-256 of the certificate in DER, or `unsigned`. Names of signed files contain it.
   */
  readonly fingerprint: string;
  /** Size of every signature in bytes; 0 when the signer does not sign. */
  readonly signatureSize: number;
  /**
   * Returns DER of a signature over an image digest (32 bytes), or undefined from a signer that
   * does not sign.
   * @throws {SIGNER_FAILED}
   */
  sign(imageDigest: Uint8Array): Uint8Array | undefined;
  /**
   * Gets and checks the signatures of all these programs at once, so that `sign` has them. Only a
   * signer whose key is not at hand has this: it asks for signatures before the first write, and as
   * seldom as possible.
   * @param likely programs that the run may want later; they are signed along if anything is asked
   * for
   * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
   */
  prepare?(programs: readonly ToSign[], likely?: readonly ToSign[]): void;
  /** Records digests instead of signing them (`plan --signing-request`). */
  readonly onlyAsks?: true;
}

/** Returns whether a signer is the one that signs nothing. */
export function isUnsigned({ fingerprint }: Pick<Signer, 'fingerprint'>): boolean {
  return fingerprint === unsigned.fingerprint;
}

/** Signs nothing and asks for no signature. A machine without Secure Boot chooses it explicitly. */
export const unsigned: Signer = {
  fingerprint: 'unsigned',
  signatureSize: 0,
  sign: () => undefined,
  // An unneeded signature does no harm, and rewriting an image to drop it might.
  verify: () => ({ kind: 'valid' }),
};
