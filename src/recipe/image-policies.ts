/** The policies of images that a plan would make, from digests that are known already where that is enough. */
import { createHash } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { type BankDigests, knownInSha256 } from '../measure/bank.ts';
import { sectionEvents } from '../measure/image.ts';
import { type Policy, type PolicyRequest, policiesFor } from '../measure/policy.ts';
import type { PcrRecord } from '../measure/record.ts';
import type { ImageContent, SectionContent } from '../plan/step.ts';
import { kernelTraits } from '../uki/kernel.ts';
import type { Bank } from '../uki/pcr-bank.ts';
import { sectionTable } from '../uki/section.ts';
import { ukiSbat } from '../uki/uki.ts';
import { type ContentHasher, contentHasher } from './measurement.ts';
import { bytesOf } from './recipe.ts';

/** In bytes. Stubs have some hundred KiB. */
const STUB_LIMIT = 16 * 1024 * 1024;

/** Makes policies of images. Stubs, and what kernels tell of themselves, are read once. */
export interface ImagePolicies {
  policiesOf(content: ImageContent): Promise<readonly Policy[]>;
}

/**
 * Returns what makes the policies that are asked for. In the bank of SHA-256 no file is read for them;
 * in others every file is.
 */
export function imagePolicies(request: PolicyRequest, disk: Disk): ImagePolicies {
  const stubs = new Map<string, Uint8Array>();
  const sbats = new Map<string, Uint8Array | undefined>();
  const hasher = contentHasher(disk);
  const stubAt = (path: string) => {
    const bytes = stubs.get(path) ?? disk.read(path, STUB_LIMIT);
    stubs.set(path, bytes);
    return bytes;
  };
  const sbatIn = (path: string) => {
    if (sbats.has(path)) return sbats.get(path);
    using kernel = disk.open(path);
    const { sbat } = kernelTraits(kernel, path);
    sbats.set(path, sbat);
    return sbat;
  };
  return {
    async policiesOf({ stub, sections }) {
      const kernel = sections.find(({ name }) => name === '.linux');
      if (kernel?.content.kind !== 'file')
        throw new RangeError('"sections" expected a .linux file');
      const given = sections.filter(({ name }) => name === '.sbat').map(ownBytes);
      const merged = ukiSbat(stubAt(stub), { sbat: sbatIn(kernel.content.path) }, given);
      const records: PcrRecord[] = [];
      for (const { name, measured } of sectionTable) {
        const found = name === '.sbat' ? undefined : sections.find((each) => each.name === name);
        if (!measured || (found === undefined && name !== '.sbat')) continue;
        const digests = found
          ? await digestsOf(found, request.banks, hasher)
          : await hasher.digestsOf(merged);
        records.push(...sectionEvents(name, digests, createHash));
      }
      return policiesFor(records, request, createHash);
    },
  };
}

function ownBytes({ content }: SectionContent): Uint8Array {
  if (content.kind === 'file') throw new RangeError('"content" of .sbat expected bytes');
  return bytesOf(content);
}

function digestsOf(
  { name, digest, size, content }: SectionContent,
  banks: readonly Bank[],
  hasher: ContentHasher,
): BankDigests | Promise<BankDigests> {
  if (banks.every((bank) => bank === 'sha256')) return knownInSha256(digest);
  const whole =
    content.kind === 'file'
      ? ({ kind: 'file', path: content.path, size } as const)
      : ({ kind: 'bytes', bytes: bytesOf(content) } as const);
  return hasher.digestsOf({ name, content: whole });
}
