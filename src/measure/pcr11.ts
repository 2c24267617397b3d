/** Predicts what PCR 11 holds when an image has booted up to a phase (systemd-measure(1)). */
import type { ByteSource } from '../byte-source.ts';
import { type BankDigests, type CreateHash, digestInBanks, replay } from './bank.ts';
import { stubRecords } from './pcrlock.ts';

/** Which boot of an image to predict. */
export interface Boot {
  readonly profile?: number;
  /**
   * Words that systemd-pcrphase measures in turn. Without words: the value that systemd-stub
   * leaves.
   */
  readonly phases?: readonly string[];
}

/**
 * Returns the value of PCR 11 in every bank.
 * @throws {CONFIG_INVALID} when there is no such profile, or when the measurement depends on
 * hardware
 * @throws {PE_MALFORMED}
 */
export function predictPcr11(
  source: ByteSource,
  createHash: CreateHash,
  { profile = 0, phases = [] }: Boot = {},
): BankDigests {
  const sections = stubRecords(source, createHash, profile).map(({ digests }) => digests);
  const words = phases.map((word) => digestInBanks([new TextEncoder().encode(word)], createHash));
  return replay([...sections, ...words], createHash);
}
