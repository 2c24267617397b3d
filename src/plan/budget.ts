/** How much fits on an ESP: what a set of files costs, and what there is for them. Pure; all in bytes. */
import type { Inventory } from '../esp/inventory.ts';
import { ourDirectories } from '../esp/inventory.ts';
import { fileName } from '../esp/layout.ts';
import { allocated, nameCost } from '../esp/space.ts';
import { keyOf, type OwnFiles, standing } from './present.ts';
import type { WantedFile } from './wanted.ts';

/** The space of one ESP. */
export interface Budget {
  /** What is free now, with the remains of killed runs swept. */
  readonly free: number;
  /** What our files may occupy in all: free space and what they occupy already, less the reserve. */
  readonly available: number;
  /** What the directories may grow by as soon as any file is made. */
  readonly directories: number;
  /** What the loader copies to be written occupy beside their predecessors. */
  readonly loaders: number;
}

/** Returns the space of an ESP. `loader` is the size of the largest loader copy to write. */
export function budgetOf(
  inventory: Inventory,
  own: OwnFiles,
  { reserve, token, loaders }: { reserve: number; token: string; loaders: readonly number[] },
): Budget {
  const { clusterSize } = inventory;
  const size = (bytes: number) => allocated(bytes, clusterSize);
  const sum = (sizes: readonly number[]) => sizes.reduce((total, bytes) => total + size(bytes), 0);
  const swept = inventory.temporaries.filter(({ twin }) => twin === undefined);
  const free = inventory.free + sum(swept.map((file) => file.size));
  return {
    free,
    available: free + sum([...own.values()].map((file) => file.size)) - reserve,
    // One cluster for each directory that is made or grows, one for loader.conf, one for entries.srel.
    directories: (ourDirectories(token).length + 2) * clusterSize,
    loaders: sum(loaders),
  };
}

/** What a file occupies when it is written: its clusters, and its name in the directory. */
export function writeCost({ path, size }: WantedFile, clusterSize: number): number {
  return allocated(size, clusterSize) + nameCost(fileName(path));
}

/** What a set of generations costs for good, in bytes. */
export interface SteadyCost {
  /** With what is there as it is, and what is lacking at its upper bound. */
  readonly bytes: number;
  /** With everything at its upper bound, as soon as anything is lacking. */
  readonly bound: number;
  /** Whether anything is lacking. */
  readonly grows: boolean;
}

/**
 * Returns what files occupy together, each counted once, with those of ours that stay anyway.
 *
 * A choice is made by `bound`: a generation that did not fit by its upper bound does not fit the next
 * time, when others are there and known to be smaller; else the two runs would choose otherwise.
 */
export function steadyCost(
  files: readonly WantedFile[],
  kept: ReadonlySet<string>,
  own: OwnFiles,
  { directories, loaders }: Budget,
  clusterSize: number,
): SteadyCost {
  const actual = new Map<string, number>();
  const most = new Map<string, number>();
  let names = 0;
  let grows = false;
  for (const key of kept) actual.set(key, allocated(own.get(key)?.size ?? 0, clusterSize));
  for (const file of files) {
    const key = keyOf(file.path);
    const found = standing(file, own).kind === 'present' ? own.get(key) : undefined;
    grows ||= found === undefined;
    if (!actual.has(key)) names += nameCost(fileName(file.path));
    actual.set(key, allocated(found?.size ?? file.size, clusterSize));
    most.set(key, allocated(file.size, clusterSize));
  }
  const room = grows ? names + directories + loaders : 0;
  const bytes = sum(actual) + room;
  return { bytes, bound: grows ? sum(new Map([...actual, ...most])) + room : bytes, grows };
}

function sum(costs: ReadonlyMap<string, number>): number {
  return [...costs.values()].reduce((total, cost) => total + cost, 0);
}
