/** A few of a recording's moments, as images of their own: to be booted, and to be run on once more. */
import { copyFileSync } from 'node:fs';
import { type Random, randomOf } from './random.ts';
import type { Recording } from './recording.ts';
import { epochsOf, replay } from './replay.ts';

/** How thorough a trial is. */
export interface Effort {
  readonly seed: number;
  /** Subsets of writes to look at in each epoch. */
  readonly samples: number;
}

/** A moment of a trial. Moments of one `kind` have the same files and the same faults of the file system. */
export interface Moment {
  /** Its place among all moments of the trial. */
  readonly index: number;
  readonly cut: string;
  readonly kind: string;
  /** The ID of the entry that starts by itself; absent when none that is whole does. */
  readonly starts?: string;
  readonly isSound: boolean;
  /** Firmware does not see all names that the kernel sees. */
  readonly isHiding: boolean;
}

/** Returns up to `count` moments, of as many kinds as there are. */
export function pickMoments(moments: readonly Moment[], count: number, random: Random): Moment[] {
  const byKind = Map.groupBy(moments, ({ kind }) => kind);
  const one = [...byKind.values()].flatMap((alike) => alike[random.below(alike.length)] ?? []);
  return shuffled(one, random).slice(0, count);
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const rest = [...values];
  return values.flatMap(() => rest.splice(random.below(rest.length), 1));
}

/** Rebuilds moments as images beside `image`, a scratch file, and returns the path of each. */
export function imagesOf(
  moments: readonly Moment[],
  recording: Recording,
  image: string,
  effort: Effort,
): Map<Moment, string> {
  const paths = new Map<Moment, string>();
  const random = randomOf(effort.seed, recording.scenario.name);
  let index = 0;
  for (const _ of replay(recording.before, image, epochsOf(recording.requests), {
    ...effort,
    random,
  })) {
    const moment = moments.find((each) => each.index === index);
    if (moment !== undefined) {
      const path = `${image}.${index}`;
      copyFileSync(image, path);
      paths.set(moment, path);
    }
    index++;
  }
  return paths;
}
