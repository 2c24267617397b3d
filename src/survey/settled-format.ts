/** Settles the format where the settings leave it open: by the room that sharing images saves. */

import { AUTO } from '../plan/formats.ts';
import { hasPart } from '../plan/sharing.ts';
import type { ImageSettings, Resolved, WantedEntry } from '../plan/wanted.ts';
import { counted } from '../quantity.ts';
import { type EntryPolicy, makerOf } from './entry-maker.ts';
import { withFormat } from './stub.ts';

/** Returns the policy with the format for these generations and specialisations. */
export function settleFormat<Policy extends EntryPolicy>(
  policy: Policy,
  resolved: readonly Resolved[],
  images: ImageSettings | undefined,
): Policy {
  const { chosenFormat } = policy;
  const { otherwise, stub } = chosenFormat;
  if (otherwise === undefined) return policy;
  const { saved, count, entries } = savings(resolved.map(makerOf(policy, images)));
  const because = `${counted(count, 'image')} in place of ${entries} ${count === 1 ? 'saves' : 'save'} ${Math.floor(saved * 100)} % of the room`;
  if (saved >= AUTO.least) return { ...policy, chosenFormat: { ...chosenFormat, because } };
  const choice = { name: otherwise, because: `sharing pays too little: ${because}`, warnings: [] };
  return { ...policy, chosenFormat: withFormat(choice, stub) };
}

/** What comes of sharing on an empty ESP. `saved` is a part of what all images take by themselves. */
function savings(entries: readonly WantedEntry[]): {
  readonly saved: number;
  /** How many images there are. */
  readonly count: number;
  readonly entries: number;
} {
  const parts = entries.filter(hasPart);
  const sizeOf = ({ blobs }: WantedEntry) => blobs.reduce((sum, { size }) => sum + size, 0);
  const groups = [...Map.groupBy(parts, ({ part }) => part.base.id).values()];
  const alone = parts.reduce((sum, entry) => sum + sizeOf(entry), 0);
  const together = groups.reduce((sum, [first]) => sum + (first ? sizeOf(first) : 0), 0);
  const saved = alone === 0 ? 0 : 1 - together / alone;
  return { saved, count: groups.length, entries: parts.length };
}
