/**
 * Finds our files on an ESP, those that always stay, and the space: all independent of the choice.
 * Pure.
 */
import { type Budget, budgetOf } from './budget.ts';
import { type Extras, listsToKeep } from './extras.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFiles, ownFiles } from './present.ts';
import { protectedKeys } from './roots.ts';
import { entriesOf, filesOf, type WantedFile, type WantedGeneration } from './wanted.ts';

/** Everything that does not depend on which generations are chosen. `clusterSize` in bytes. */
export interface Holdings {
  readonly own: OwnFiles;
  readonly kept: ReadonlySet<string>;
  readonly budget: Budget;
  readonly clusterSize: number;
}

/** Returns our files, and those that no choice may remove. */
export function holdingsOf(input: PlanInput): Holdings {
  const { inventory } = input;
  const own = ownFiles(inventory);
  const kept = new Set([...protectedKeys(input.roots, inventory, own), ...namedKeys(input)]);
  const { extras = NO_EXTRAS, scope } = input;
  for (const key of listsToKeep(kept, inventory, { extras, scope }, own)) kept.add(key);
  return {
    own,
    kept,
    budget: budgetOf(inventory, own, input),
    clusterSize: inventory.clusterSize,
  };
}

/** A file that wanted entries expect from others may be one of ours that nothing else wants. */
function namedKeys({ extras = NO_EXTRAS, ...wanted }: PlanInput): readonly string[] {
  return [...entriesOf(wanted).flatMap(({ others = [] }) => others), ...extras.named].map(keyOf);
}

const NO_EXTRAS: Pick<Extras, 'wanted' | 'named'> = { wanted: [], named: [] };

/** Returns every file that generations need, and the extra files. */
export function wantedFiles(
  generations: readonly WantedGeneration[],
  { extras = NO_EXTRAS }: PlanInput,
): WantedFile[] {
  return [...generations.flatMap(({ entries }) => entries).flatMap(filesOf), ...extras.wanted];
}
