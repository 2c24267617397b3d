/** Whether an image carries a signature that somebody takes for whole, as far as its own bytes say. Pure. */

import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';
import { certificateTable } from './certificate-table.ts';
import { bytesBehind, type Pe } from './pe.ts';

/** Judges one signature (DER) without its image. */
export type JudgesSignature = (signature: Uint8Array) => boolean;

/**
 * Tells whether one of an image's signatures passes. Firmware hashes what lies behind them, and then none does. The image is not hashed: a signature that was lost,
 * damaged or made with another key is found out by reading a few kilobytes.
 */
export function carriesSignature(source: ByteSource, pe: Pe, passes: JudgesSignature): boolean {
  try {
    return bytesBehind(pe) === 0 && certificateTable(source, pe).some(passes);
  } catch (error) {
    if (error instanceof EspError) return false;
    throw error;
  }
}

/**
 * Requires that a program ends where its headers say, as ours and signed ones do: firmware hashes what lies
 * behind a signature.
 * @throws {PE_MALFORMED}
 */
export function requireNothingBehind(pe: Pe): void {
  const behind = bytesBehind(pe);
  if (behind === 0) return;
  throw new EspError(
    'PE_MALFORMED',
    `${counted(behind, 'byte lies', 'bytes lie')} behind its end, where nothing should be`,
  );
}
