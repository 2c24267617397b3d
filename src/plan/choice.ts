/**
 * Computes a choice: the files to write for a set of generations, and those that become useless.
 * Pure.
 */
import { CONF_CLUSTERS, writeCost } from './budget.ts';
import { type Holdings, wantedFiles } from './holdings.ts';
import { defaultsWithin } from './loader-conf-steps.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFile, type OwnFiles, standing } from './present.ts';
import { mends, removalsWithin, type Write, writesWithin } from './scope.ts';
import type { Step } from './step.ts';
import { entriesOf, filesOf, type WantedGeneration } from './wanted.ts';

/** A choice: the files to write, and the files of ours without a use. */
export interface Choice {
  readonly writes: readonly Write[];
  /** The steps for loader.conf and for the mark of the layout. */
  readonly defaults: readonly Step[];
  /** Our files. Those that need mending are marked as damaged. */
  readonly own: OwnFiles;
  readonly stale: readonly OwnFile[];
  /** Bytes in use beyond those now, when everything is written and nothing removed. */
  readonly growth: number;
}

/** Finds what a set of generations lacks, and which of our files it does not use. */
export function choose(
  generations: readonly WantedGeneration[],
  input: PlanInput,
  { own, kept, budget, clusterSize }: Holdings,
): Choice {
  const { scope, inventory } = input;
  const used = new Map(wantedFiles(generations, input).map((file) => [keyOf(file.path), file]));
  const lacking = [...used.values()].flatMap((file): Write[] => {
    const found = standing(file, own);
    return found.kind === 'present' ? [] : [{ file, found }];
  });
  const unused = [...own].flatMap(([key, file]) => (used.has(key) || kept.has(key) ? [] : [file]));
  const writes = writesWithin(scope, lacking, own, neededFor(generations, lacking, input));
  const judged = withDamage(own, lacking);
  // What is overwritten in place takes no more room than before.
  const files = writes.filter(({ found }) => found.kind !== 'astray').map(({ file }) => file);
  const defaults = defaultsWithin(input, [...own.keys(), ...files.map(({ path }) => keyOf(path))]);
  const isReplaced = !inventory.espSpace && defaults.some(({ kind }) => kind === 'replace');
  return {
    writes,
    defaults,
    own: judged,
    stale: removalsWithin(scope, unused, { generations, lacking, writes, own: judged }),
    growth:
      writeCost(files, budget, clusterSize) +
      (isReplaced ? CONF_CLUSTERS * clusterSize : 0) +
      (scope === 'gc' ? 0 : budget.loaders.peak) +
      (scope === 'all' ? budget.fixed : 0),
  };
}

/** Returns the keys of what mended entries name, and of the next one where nothing says what boots next. */
function neededFor(
  generations: readonly WantedGeneration[],
  lacking: readonly Write[],
  { lacksNext, default: next }: PlanInput,
): ReadonlySet<string> {
  const mended = new Set(lacking.filter(mends).map(({ file }) => file));
  const entries = entriesOf({ musts: generations, wishes: [] }).filter(
    ({ id, file }) => mended.has(file) || (lacksNext && id === next),
  );
  return new Set(entries.flatMap(filesOf).map(({ path }) => keyOf(path)));
}

/** A file with a whole header may have the wrong size. It counts as damaged until it is mended. */
function withDamage(own: OwnFiles, lacking: readonly Write[]): OwnFiles {
  const judged = new Map(own);
  for (const { file, found } of lacking) {
    const key = keyOf(file.path);
    const damaged = own.get(key);
    if (damaged && found.kind === 'damaged') judged.set(key, { ...damaged, damage: found.because });
  }
  return judged;
}
