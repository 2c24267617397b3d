/** Tells how the signature of a boot loader on an ESP is judged. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import type { LoaderSignature } from '../loader/upgrade.ts';
import type { JudgesSignature } from '../pe/carried-signature.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { parsePe } from '../pe/pe.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import type { Verifier } from '../signer/signer.ts';

/**
 * Judges a file by a certificate, or by firmware where a verifier has none. A file that cannot be read has
 * no valid signature.
 */
export function judgeSignature(
  file: ByteSource,
  verifier: Verifier,
  bans?: JudgesSignature,
): LoaderSignature {
  const otherwise = verifier.certificate === undefined ? 'not-taken' : 'invalid';
  try {
    const signatures = certificateTable(file, parsePe(file));
    if (signatures.length === 0) return otherwise;
    if (bans && signatures.some(bans)) return 'banned';
    const { kind } = verifier.verify(signatures, authenticodeDigest(file));
    return kind === 'valid' ? 'valid' : otherwise;
  } catch (error) {
    if (error instanceof EspError) return otherwise;
    throw error;
  }
}
