/** Turns what is wanted, what is there and how much fits into a plan or a refusal. Pure. */

import { allocated } from '../esp/space.ts';
import { exactSize, formatSize } from '../quantity.ts';
import { steadyCost } from './budget.ts';
import { type Choice, choose } from './choice.ts';
import { forecastEsp, refuseEsp } from './esp-space.ts';
import { freeFirst } from './free-first.ts';
import { type Holdings, holdingsOf, wantedFiles } from './holdings.ts';
import type { PlanInput } from './plan-input.ts';
import { keyOf, type OwnFile } from './present.ts';
import { schedule } from './schedule.ts';
import type { LeftOut, Plan, Refusal } from './step.ts';
import type { WantedGeneration } from './wanted.ts';

/**
 * Returns the plan for one ESP, or a refusal when the musts do not fit.
 *
 * New names come first, and old names are removed last. When both do not fit together, as few old
 * entries as possible are removed first. No must is given up for a wish, and no run removes the
 * last entry that boots.
 */
export function plan(input: PlanInput): Plan | Refusal {
  const esp = forecastEsp(input);
  const crowded = esp && refuseEsp(esp);
  if (crowded) return crowded;
  const planned = planEntries(input);
  return esp && !('kind' in planned) ? { ...planned, espSpace: esp } : planned;
}

function planEntries(input: PlanInput): Plan | Refusal {
  const holdings = holdingsOf(input);
  const { chosen, leftOut } = chooseWishes(input, holdings);
  if (!chosen) return refuse(input, holdings);
  for (;;) {
    const choice = choose(chosen, input, holdings);
    const early = freeFirst({
      missing: choice.growth - holdings.budget.free,
      stale: choice.stale,
      moving: movingIn(choice),
      own: choice.own,
      clusterSize: holdings.clusterSize,
    });
    if (early) return schedule(input, holdings, choice, early, leftOut);
    if (chosen.length === input.musts.length) return refuse(input, holdings);
    const dropped = chosen.pop();
    leftOut.push({
      generation: dropped?.name ?? '',
      because: 'no space on the ESP beside what must stay until it is written',
    });
  }
}

/** Returns the entries that will be overwritten to boot from another image. */
function movingIn({ writes, own }: Choice): readonly OwnFile[] {
  return writes.flatMap(({ file, found }) =>
    found.kind === 'astray' ? (own.get(keyOf(file.path)) ?? []) : [],
  );
}

/** Returns the musts and as many wishes as fit permanently; no choice when the musts do not fit. */
function chooseWishes(
  input: PlanInput,
  { own, kept, budget, clusterSize }: Holdings,
): { chosen: WantedGeneration[] | undefined; leftOut: LeftOut[] } {
  const leftOut = [...input.leftOut];
  const cost = (generations: readonly WantedGeneration[]) =>
    steadyCost(wantedFiles(generations, input), kept, own, budget, clusterSize);
  const chosen = [...input.musts];
  const least = cost(chosen);
  if (least.grows && least.bytes > budget.available) return { chosen: undefined, leftOut };
  // Almost always everything fits, and one check shows it. Otherwise each wish is checked in turn.
  const all = [...chosen, ...input.wishes];
  if (cost(all).bound <= budget.available) return { chosen: all, leftOut };
  for (const wish of input.wishes) {
    if (cost([...chosen, wish]).bound <= budget.available) chosen.push(wish);
    else leftOut.push({ generation: wish.name, because: 'no space on the ESP' });
  }
  return { chosen, leftOut };
}

/** Says how much space is needed, how much there is, who has the rest, and what frees it. */
function refuse(input: PlanInput, { own, kept, budget, clusterSize }: Holdings): Refusal {
  const { inventory, musts, reserve } = input;
  const { bytes: needed } = steadyCost(wantedFiles(musts, input), kept, own, budget, clusterSize);
  const growth = choose(musts, input, { own, kept, budget, clusterSize }).growth;
  const ours = [...own.values()].reduce((sum, { size }) => sum + allocated(size, clusterSize), 0);
  const others = inventory.total - inventory.free - ours;
  return {
    kind: 'refusal',
    needed: Math.max(needed, growth),
    available: needed > budget.available ? budget.available : budget.free,
    message: [
      `${musts.length === 1 ? 'generation' : 'generations'} ${musts.map(({ name }) => name).join(', ')} ${musts.length === 1 ? 'needs' : 'need'} ${exactSize(needed)}`,
      `${exactSize(budget.available)} can be had: ${formatSize(inventory.free)} free, ${formatSize(ours)} in our own files, ${formatSize(reserve)} kept in reserve`,
      `${formatSize(others)} are held by others`,
      ...(needed > budget.available
        ? []
        : [`${exactSize(growth)} must fit beside the last entry that boots`]),
    ].join('; '),
    hint: 'free space on the ESP: delete generations that are not needed (`nix-env --delete-generations old --profile /nix/var/nix/profiles/system`, or `espalier kernel remove VERSION` where packages install kernels), remove files of others, lower --reserve, or use --format type1, which shares kernels and initrds',
  };
}
