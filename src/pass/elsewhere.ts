/** What becomes of entries on other partitions than the one that has them now. */

import type { Context } from '../context.ts';
import type { Inventory } from '../esp/inventory.ts';
import { planRemoval, withCounters } from '../plan/remains.ts';
import type { Roots } from '../plan/roots.ts';
import type { Scope } from '../plan/scope.ts';
import type { Phase, Plan, Refusal } from '../plan/step.ts';
import { matchExtras } from '../survey/extras.ts';
import type { Survey } from '../survey/surveyed.ts';
import type { Elsewhere } from '../volumes/boot-tree.ts';

/** What is to be removed from a partition; there is something. */
export interface Removal {
  readonly root: string;
  readonly phases: readonly Phase[];
}

/** Finds out which extra files are ours on other partitions, where none belong any more. */
export function withExtras(
  elsewhere: readonly Elsewhere[],
  { settings }: Survey,
  { disk, volumes }: Context,
  deep: boolean,
): readonly Elsewhere[] {
  const apart = { disk: volumes?.apart ?? disk };
  return elsewhere.map(({ inventory, ...volume }) => {
    const { own } = matchExtras(volume.root, { settings, extras: [] }, inventory, apart, deep);
    return { ...volume, inventory: { ...inventory, extras: own } };
  });
}

/** Returns a survey in which entries that move here keep the boot counters that they have elsewhere. */
export function comingFrom(
  elsewhere: readonly Elsewhere[],
  survey: Survey,
  { entries }: Inventory,
): Survey {
  if (elsewhere.length === 0) return survey;
  const here = new Set(entries.flatMap(({ id, name }) => (name ? [id.toLowerCase()] : [])));
  const coming = elsewhere
    .flatMap(({ inventory }) => inventory.entries)
    .filter(({ id }) => !here.has(id.toLowerCase()));
  return {
    ...survey,
    musts: withCounters(survey.musts, coming),
    wishes: withCounters(survey.wishes, coming),
  };
}

/** Returns what is to be removed from other partitions once a plan is carried out, and what is left there and why. */
export function removalsFrom(
  elsewhere: readonly Elsewhere[],
  planned: Plan | Refusal,
  { survey, roots, scope }: { survey: Survey; roots: Roots; scope: Scope },
): { readonly removals: readonly Removal[]; readonly warnings: readonly string[] } {
  if ('kind' in planned) return { removals: [], warnings: [] };
  const generations = [...survey.musts, ...survey.wishes];
  const found = elsewhere
    .map(({ inventory, ...volume }) => ({
      ...volume,
      phases: planRemoval({
        inventory,
        plan: planned,
        default: survey.default,
        generations,
        roots,
        scope,
      }),
    }))
    .filter(({ phases }) => phases.length > 0);
  return {
    removals: found.filter(({ stays }) => stays === undefined),
    warnings: found.flatMap(({ stays }) => stays ?? []),
  };
}
