/** Whether an image boots the very file systems that were built with it. */
import { DESIGNATORS, type Designator } from '../gpt/partition-type.ts';
import { devicesOnCmdline, rootHashesOnCmdline } from '../verity/cmdline.ts';
import { describeMisnamed, type Misnamed } from '../verity/repart-output.ts';
import type { RootHash } from '../verity/root-hash.ts';
import type { BootProfile } from './boot-profile.ts';

/** What is wrong with a profile. Root hashes are in lower-case hexadecimal. */
export type Mismatch =
  | { readonly kind: 'no-cmdline'; readonly profile: string }
  /** Neither the profile nor the disk has a root hash, so nothing can match. */
  | { readonly kind: 'no-root-hash'; readonly profile: string }
  | {
      readonly kind: 'missing' | 'unexpected' | 'different';
      readonly profile: string;
      readonly designator: Designator;
      /** The root hashes of the partitions on the disk. */
      readonly expected: readonly string[];
      readonly got?: string;
    }
  /** It is found by the root hash, and has another UUID. */
  | ({ readonly kind: 'partition'; readonly profile: string } & Misnamed);

/**
 * Compares the root hashes on each profile's command line with those of the partitions. Every
 * command line must name all that are on the disk, and no other.
 */
export function compareRootHashes(
  profiles: readonly BootProfile[],
  partitions: readonly RootHash[],
): readonly Mismatch[] {
  return profiles.flatMap(({ name: profile, cmdline }): Mismatch[] => {
    if (cmdline === undefined) return [{ kind: 'no-cmdline', profile }];
    const named = rootHashesOnCmdline(cmdline);
    if (partitions.length === 0 && Object.keys(named).length === 0)
      return [{ kind: 'no-root-hash', profile }];
    return DESIGNATORS.flatMap((designator): Mismatch[] => {
      const expected = partitions
        .filter((partition) => partition.designator === designator)
        .map(({ hex }) => hex);
      const got = named[designator];
      if (got === undefined) {
        return expected.length > 0 ? [{ kind: 'missing', profile, designator, expected }] : [];
      }
      if (expected.includes(got)) return [];
      const kind = expected.length > 0 ? 'different' : 'unexpected';
      return [{ kind, profile, designator, expected, got }];
    });
  });
}

/**
 * Returns what each profile would wait for: partitions that its command line leaves to be found by
 * the root hash, and that have other UUIDs.
 */
export function comparePartitions(
  profiles: readonly BootProfile[],
  misnamed: readonly Misnamed[],
): readonly Mismatch[] {
  return profiles.flatMap(({ name: profile, cmdline = '' }) =>
    devicesOnCmdline(cmdline).flatMap((device): Mismatch[] =>
      misnamed
        .filter(({ hex, designator, content }) => {
          const isNamed = device[content] !== undefined;
          return device.rootHash === hex && device.designator === designator && !isNamed;
        })
        .map((each) => ({ kind: 'partition', profile, ...each })),
    ),
  );
}

/** Returns a mismatch as one line. */
export function describeMismatch(mismatch: Mismatch): string {
  const { profile } = mismatch;
  switch (mismatch.kind) {
    case 'no-cmdline':
      return `${profile}: has no .cmdline`;
    case 'no-root-hash':
      return `${profile}: names no root hash, and neither do the partitions`;
    case 'partition':
      return `${profile}: ${describeMisnamed(mismatch)}`;
    case 'missing':
      return `${profile}: expected ${wanted(mismatch)}, got no ${mismatch.designator}hash=`;
    case 'different':
      return `${profile}: expected ${wanted(mismatch)}, got ${mismatch.designator}hash=${mismatch.got}`;
    case 'unexpected':
      return `${profile}: names ${mismatch.designator}hash=${mismatch.got}, and no partition for ${mismatch.designator} has a known root hash`;
  }
}

function wanted({
  designator,
  expected,
}: Extract<Mismatch, { expected: readonly string[] }>): string {
  return expected.map((hex) => `${designator}hash=${hex}`).join(' or ');
}
