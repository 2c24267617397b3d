/** Whether a signed file on an ESP would pass as ours. */
import { createHash } from 'node:crypto';
import type { OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { parsePe } from '../pe/pe.ts';
import type { Verifier } from '../signer/signer.ts';

/** Judges a file by a certificate; a file that cannot be read has no valid signature. */
export function judgeSignature(file: OpenFile, verifier: Verifier): 'valid' | 'invalid' {
  try {
    const signatures = certificateTable(file, parsePe(file));
    if (signatures.length === 0) return 'invalid';
    const sha256 = createHash('sha256');
    for (const bytes of authenticodeDigestInput(file)) sha256.update(bytes);
    return verifier.verify(signatures, sha256.digest()).kind;
  } catch (error) {
    if (error instanceof EspError) return 'invalid';
    throw error;
  }
}
