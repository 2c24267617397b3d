/** How much fits on an ESP: what a set of files costs, and what there is for them. Pure; all in bytes. */
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, volumesOf } from '../esp/layout.ts';
import { allocated, directoryGrowth } from '../esp/space.ts';
import { keyOf, type OwnFiles, standing } from './present.ts';
import type { WantedFile } from './wanted.ts';

/** The space of one ESP. */
export interface Budget {
  /** What is free now, with the remains of killed runs swept. */
  readonly free: number;
  /** What our files may occupy in all: free space and what they occupy already, less the reserve. */
  readonly available: number;
  /** What the fixed files that are not there yet will occupy: loader.conf, entries.srel. */
  readonly fixed: number;
  readonly loaders: LoaderCost;
  /** The directories that exist. */
  readonly directories: ReadonlySet<EspPath>;
}

/** What the loader copies to be written occupy. */
export interface LoaderCost {
  /** Beside their predecessors, while they are written. */
  readonly peak: number;
  /** More than their predecessors, for good. */
  readonly growth: number;
}

/** A loader copy and the file that it replaces, if there is one: sizes in bytes. */
export interface LoaderSizes {
  readonly path: EspPath;
  readonly size: number;
  readonly replaces: number;
}

/** What it takes at most to replace loader.conf: its new text, what is kept beside it, a name for each. */
export const CONF_CLUSTERS = 5;

/** Returns the space of the volume on which entries are, and all else unless that is on another. */
export function budgetOf(
  inventory: Inventory,
  own: OwnFiles,
  given: { reserve: number; loaders: readonly LoaderSizes[] },
): Budget {
  const { clusterSize, directories, espSpace } = inventory;
  const { reserve } = given;
  const loaders = espSpace ? [] : given.loaders;
  const size = (bytes: number) => allocated(bytes, clusterSize);
  const sum = (sizes: readonly number[]) => sizes.reduce((total, bytes) => total + size(bytes), 0);
  const swept = inventory.temporaries.filter(
    ({ twin, path }) => twin === undefined && (!espSpace || volumesOf(path)[0] === 'xbootldr'),
  );
  const free = inventory.free + sum(swept.map((file) => file.size));
  const fixed = [inventory.layout, ...(espSpace ? [] : [inventory.loaderConf])];
  const absent = fixed.filter((found) => found === undefined);
  const names = directoryGrowth(
    loaders.map(({ path }) => path),
    directories,
    clusterSize,
  );
  return {
    free,
    available: free + sum([...own.values()].map((file) => file.size)) - reserve,
    // A small file by itself takes a cluster, and another for its name.
    fixed: 2 * absent.length * clusterSize,
    loaders: {
      peak: sum(loaders.map((copy) => copy.size)) + names,
      growth: loaders.reduce(
        (total, copy) => total + Math.max(0, size(copy.size) - size(copy.replaces)),
        names,
      ),
    },
    directories,
  };
}

/** What files occupy when they are written: their clusters, and their names in the directories. */
export function writeCost(
  files: readonly WantedFile[],
  { directories }: Budget,
  clusterSize: number,
): number {
  const names = directoryGrowth(
    files.map(({ path }) => path),
    directories,
    clusterSize,
  );
  return files.reduce((sum, { size }) => sum + allocated(size, clusterSize), names);
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
  { directories, fixed, loaders }: Budget,
  clusterSize: number,
): SteadyCost {
  const actual = new Map<string, number>();
  const most = new Map<string, number>();
  const lacking: EspPath[] = [];
  for (const key of kept) actual.set(key, allocated(own.get(key)?.size ?? 0, clusterSize));
  for (const file of files) {
    const key = keyOf(file.path);
    const found = standing(file, own).kind === 'present' ? own.get(key) : undefined;
    if (found === undefined) lacking.push(file.path);
    actual.set(key, allocated(found?.size ?? file.size, clusterSize));
    most.set(key, allocated(file.size, clusterSize));
  }
  const grows = lacking.length > 0;
  if (!grows) return { bytes: sum(actual), bound: sum(actual), grows };
  const names = (paths: readonly EspPath[]) =>
    directoryGrowth([...new Set(paths)], directories, clusterSize);
  const room = fixed + loaders.growth;
  const all = files.map(({ path }) => path);
  return {
    bytes: sum(actual) + names(lacking) + room,
    bound: sum(new Map([...actual, ...most])) + names(all) + room,
    grows,
  };
}

function sum(costs: ReadonlyMap<string, number>): number {
  return [...costs.values()].reduce((total, cost) => total + cost, 0);
}
