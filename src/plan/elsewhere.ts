/** Decides about entries on partitions other than their present one. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { decideExtras } from './extras.ts';
import { planRemoval, withCounters } from './remains.ts';
import type { Roots } from './roots.ts';
import type { Scope } from './scope.ts';
import type { Phase, Plan, Refusal } from './step.ts';
import type { EspView } from './view.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The removals from one partition. There is at least one. */
export interface Removal {
  readonly root: string;
  readonly phases: readonly Phase[];
}

/** Returns generations whose entries take over the boot counters of their old partition. */
export function withCountersFrom<Wanted extends Pick<WantedSystem, 'musts' | 'wishes'>>(
  elsewhere: EspView['elsewhere'],
  wanted: Wanted,
  { entries }: Inventory,
): Wanted {
  if (elsewhere.length === 0) return wanted;
  const here = new Set(entries.flatMap(({ id, name }) => (name ? [id.toLowerCase()] : [])));
  const coming = elsewhere
    .flatMap(({ inventory }) => inventory.entries)
    .filter(({ id }) => !here.has(id.toLowerCase()));
  return {
    ...wanted,
    musts: withCounters(wanted.musts, coming),
    wishes: withCounters(wanted.wishes, coming),
  };
}

/** Returns the removals from other partitions after a plan, and what stays there and why. */
export function removalsFrom(
  elsewhere: EspView['elsewhere'],
  plan: Plan | Refusal,
  wanted: Pick<WantedSystem, 'default' | 'musts' | 'wishes' | 'settings'>,
  { roots, scope }: { readonly roots: Roots; readonly scope: Scope },
): { readonly removals: readonly Removal[]; readonly warnings: readonly string[] } {
  if ('kind' in plan) return { removals: [], warnings: [] };
  const generations = [...wanted.musts, ...wanted.wishes];
  const found = elsewhere
    .map(({ inventory, extras, ...volume }) => {
      const { own } = decideExtras(extras, wanted.settings['entry-token']);
      const all = { ...inventory, extras: own };
      const remains = { inventory: all, plan, default: wanted.default, generations, roots, scope };
      return { ...volume, phases: planRemoval(remains) };
    })
    .filter(({ phases }) => phases.length > 0);
  return {
    removals: found.filter(({ stays }) => stays === undefined),
    warnings: found.flatMap(({ stays }) => stays ?? []),
  };
}
