/** What PCR 11 holds when an image has booted as far as a phase (systemd-measure(1)). */
import type { ByteSource } from '../byte-source.ts';
import { type BankDigests, type CreateHash, digestInBanks, replay } from './bank.ts';
import { stubRecords } from './pcrlock.ts';

/** Which boot of an image is meant. */
export interface Boot {
  readonly profile?: number;
  /** Words that systemd-pcrphase measures one after the other; none: as systemd-stub leaves it. */
  readonly phases?: readonly string[];
}

/**
 * Returns the value of PCR 11 in every bank.
 * @throws {CONFIG_INVALID} when there is no such profile, or the hardware decides what is measured
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
