/** Checks whether an image boots exactly the file systems that were built with it. */

import type { Designator } from '../gpt/partition-type.ts';
import { rootHashesOnCmdline } from '../verity/cmdline.ts';
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
    };

const DESIGNATORS: readonly Designator[] = ['root', 'usr'];

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

/** Returns a mismatch as one line. */
export function describeMismatch(mismatch: Mismatch): string {
  const { profile } = mismatch;
  switch (mismatch.kind) {
    case 'no-cmdline':
      return `${profile}: has no .cmdline`;
    case 'no-root-hash':
      return `${profile}: names no root hash, and neither do the partitions`;
    case 'missing':
      return `${profile}: expected ${wanted(mismatch)}, got no ${mismatch.designator}hash=`;
    case 'different':
      return `${profile}: expected ${wanted(mismatch)}, got ${mismatch.designator}hash=${mismatch.got}`;
    case 'unexpected':
      return `${profile}: names ${mismatch.designator}hash=${mismatch.got}, and no partition for ${mismatch.designator} has a known root hash`;
  }
}

function wanted({ designator, expected }: Extract<Mismatch, { expected: unknown }>): string {
  return expected.map((hex) => `${designator}hash=${hex}`).join(' or ');
}
