/** What becomes of entries on other partitions than the one that has them now. */
import type { Inventory } from '../../esp/inventory.ts';
import { planRemoval, withCounters } from '../../plan/remains.ts';
import type { Roots } from '../../plan/roots.ts';
import type { Scope } from '../../plan/scope.ts';
import type { Phase, Plan, Refusal } from '../../plan/step.ts';
import type { Elsewhere } from './boot-tree.ts';
import type { Survey } from './survey.ts';

/** What is to be removed from a partition; there is something. */
export interface Removal {
  readonly root: string;
  readonly phases: readonly Phase[];
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
