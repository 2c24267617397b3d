/** Tells whether the signature of a file on an ESP counts as ours. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { parsePe } from '../pe/pe.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import type { Verifier } from '../signer/signer.ts';

/** Judges a file by a certificate. A file that cannot be read has no valid signature. */
export function judgeSignature(file: ByteSource, verifier: Verifier): 'valid' | 'invalid' {
  try {
    const signatures = certificateTable(file, parsePe(file));
    if (signatures.length === 0) return 'invalid';
    return verifier.verify(signatures, authenticodeDigest(file)).kind;
  } catch (error) {
    if (error instanceof EspError) return 'invalid';
    throw error;
  }
}
