/** What is ours on an ESP, what of it stays in any case, and the space: the same whatever is chosen. Pure. */
import { type Budget, budgetOf } from './budget.ts';
import { type Extras, listsToKeep } from './extras.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFiles, ownFiles } from './present.ts';
import { protectedKeys } from './roots.ts';
import { filesOf, type WantedFile, type WantedGeneration } from './wanted.ts';

/** What stays the same whichever generations are chosen. `clusterSize` in bytes. */
export interface Holdings {
  readonly own: OwnFiles;
  readonly kept: ReadonlySet<string>;
  readonly budget: Budget;
  readonly clusterSize: number;
}

/** Returns what is ours, and which of it no choice may give up. */
export function holdingsOf(input: PlanInput): Holdings {
  const { inventory, loaders, reserve } = input;
  const own = ownFiles(inventory);
  const kept = new Set([...protectedKeys(input.roots, inventory, own), ...namedKeys(input)]);
  const { extras = NO_EXTRAS, scope } = input;
  for (const key of listsToKeep(kept, inventory, { extras, scope }, own)) kept.add(key);
  return {
    own,
    kept,
    budget: budgetOf(inventory, own, { reserve, loaders }),
    clusterSize: inventory.clusterSize,
  };
}

/** What wanted entries name and others put there may by now be a file of ours that nothing else wants. */
function namedKeys({ musts, wishes, extras = NO_EXTRAS }: PlanInput): readonly string[] {
  const entries = [...musts, ...wishes].flatMap((generation) => generation.entries);
  return [...entries.flatMap(({ others = [] }) => others), ...extras.named].map(keyOf);
}

const NO_EXTRAS: Pick<Extras, 'wanted' | 'named'> = { wanted: [], named: [] };

/** Every file that generations need, and the extra files. */
export function wantedFiles(
  generations: readonly WantedGeneration[],
  { extras = NO_EXTRAS }: PlanInput,
): WantedFile[] {
  return [...generations.flatMap(({ entries }) => entries).flatMap(filesOf), ...extras.wanted];
}
