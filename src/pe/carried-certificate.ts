/** Whether an image carries a signature by a certificate, as far as its own bytes say. Pure. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { certificateTable } from './certificate-table.ts';
import type { Pe } from './pe.ts';

/**
 * Tells whether one of an image's signatures carries a certificate. Nothing is verified: a signature
 * that was lost, overwritten or made with another key is found out by reading a few kilobytes.
 * @param certificate DER
 */
export function carriesCertificate(source: ByteSource, pe: Pe, certificate: Uint8Array): boolean {
  try {
    return certificateTable(source, pe).some(
      (signature) => Buffer.from(signature).indexOf(certificate) >= 0,
    );
  } catch (error) {
    if (error instanceof EspError) return false;
    throw error;
  }
}
