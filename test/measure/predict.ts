/** What PCR 11 holds when an image has booted up to a phase: the prediction as tests ask for it. */
import { createHash } from 'node:crypto';
import type { ByteSource } from '../../src/byte-source.ts';
import type { BankDigests } from '../../src/measure/bank.ts';
import { measuredImage, phaseEvents } from '../../src/measure/image.ts';
import { KERNEL_BOOT, registerValue } from '../../src/measure/record.ts';

/** Returns the value of PCR 11 in every bank. */
export function predictPcr11(
  source: ByteSource,
  { profile = 0, phases = [] }: { profile?: number; phases?: readonly string[] } = {},
): BankDigests {
  const events = measuredImage(source, createHash).eventsOf({
    secureBoot: true,
    ...(profile > 0 ? { options: `@${profile}` } : {}),
  });
  const after = [...events, ...phaseEvents(phases, createHash)];
  return registerValue(after, KERNEL_BOOT, createHash);
}
