/** Measures sections that are not in an image yet: what PCR 11 will hold, and the policies for it. */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { type BankDigests, createBankHash } from '../measure/bank.ts';
import { type PcrEvent, sectionEvents, valueInPhase } from '../measure/image.ts';
import { type Policy, type PolicyRequest, policiesFor } from '../measure/policy.ts';
import { type Content, contentPieces, contentSize } from '../pe/image-layout.ts';
import { sectionTable } from '../uki/section.ts';
import type { UkiSection } from '../uki/uki.ts';
import { stream } from './pieces.ts';

/** The sections of one boot, measured. */
export interface Measurement {
  /** Returns what PCR 11 holds after each of these phases, bank by bank. */
  values(
    phases: readonly string[],
  ): readonly { readonly phase: string; readonly value: BankDigests }[];
  policies(request: PolicyRequest): readonly Policy[];
}

/** Hashes contents, each once however often it is asked for. */
export interface ContentHasher {
  digestsOf(section: UkiSection): Promise<BankDigests>;
}

/** Returns a hasher that reads from a disk. Memory does not grow with the size of the contents. */
export function contentHasher(disk: Disk): ContentHasher {
  const known = new Map<Content, Promise<BankDigests>>();
  const digest = async (content: Content): Promise<BankDigests> => {
    const hash = createBankHash(createHash);
    await stream(contentPieces(content), disk, async (bytes) => hash.update(bytes));
    return hash.finish();
  };
  return {
    digestsOf({ content }) {
      const digests = known.get(content) ?? digest(content);
      known.set(content, digests);
      return digests;
    },
  };
}

/**
 * Measures the sections of one boot as systemd-stub will.
 * @param sections one of each name, in any order, without those that are not measured
 */
export async function measureSections(
  sections: readonly UkiSection[],
  hasher: ContentHasher,
): Promise<Measurement> {
  const records: PcrEvent[] = [];
  for (const { name } of sectionTable) {
    const section = sections.find((each) => each.name === name);
    if (section === undefined || contentSize(section.content) === 0) continue;
    records.push(...sectionEvents(name, await hasher.digestsOf(section), createHash));
  }
  return {
    values: (phases) =>
      phases.map((phase) => ({ phase, value: valueInPhase(phase, records, createHash) })),
    policies: (request) => policiesFor(records, request, createHash),
  };
}
