/**
 * Computes how much fits on an ESP: the cost of a set of files, and the space for it. Pure; in
 * bytes.
 */
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, volumesOf } from '../esp/layout.ts';
import { allocated, directoryGrowth } from '../esp/space.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFiles, standing } from './present.ts';
import type { WantedFile } from './wanted.ts';

/** The space of one ESP. */
export interface Budget {
  /** Free space now, counted without the leftovers of killed runs. */
  readonly free: number;
  /** The most that our files may take: free space and what they take already, less the reserve. */
  readonly available: number;
  /** What the missing fixed files will take: loader.conf, entries.srel. */
  readonly fixed: number;
  readonly loaders: LoaderCost;
  /** The directories that exist. */
  readonly directories: ReadonlySet<EspPath>;
}

/** The space for the loader copies to write. */
export interface LoaderCost {
  /** While they are written, beside the present copies. */
  readonly peak: number;
  /** Permanently, beyond the present copies. */
  readonly growth: number;
  /** By those that are removed, in the end. */
  readonly freed: number;
}

/**
 * Returns the most that replacing loader.conf takes: new text, kept settings, and a name for each.
 */
export const CONF_CLUSTERS = 5;

/**
 * Returns the space of the entries' volume, which has everything else unless that is on another.
 */
export function budgetOf(
  inventory: Inventory,
  own: OwnFiles,
  given: Pick<PlanInput, 'reserve' | 'loaders' | 'unusedLoaders'>,
): Budget {
  const { clusterSize, directories, espSpace } = inventory;
  const { reserve } = given;
  const [loaders, unused] = espSpace ? [[], []] : [given.loaders, given.unusedLoaders ?? []];
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
    // A small file takes one cluster, and its name another.
    fixed: 2 * absent.length * clusterSize,
    loaders: {
      peak: sum(loaders.map((copy) => copy.size)) + names,
      growth: loaders.reduce(
        (total, copy) => total + Math.max(0, size(copy.size) - size(copy.replaces)),
        names,
      ),
      freed: sum(unused.map((file) => file.size)),
    },
    directories,
  };
}

/**
 * Returns what files take when they are written: their clusters, and their names in directories.
 */
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

/** The permanent cost of a set of generations, in bytes. */
export interface SteadyCost {
  /** With present files at their size, and lacking files at their upper bound. */
  readonly bytes: number;
  /** With every file at its upper bound, as soon as any file is lacking. */
  readonly bound: number;
  /** Whether any file is lacking. */
  readonly grows: boolean;
}

/**
 * Returns what files take together, each counted once, with those of our files that stay anyway.
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
    const isThere = ['present', 'astray'].includes(standing(file, own).kind);
    const found = isThere ? own.get(key) : undefined;
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
