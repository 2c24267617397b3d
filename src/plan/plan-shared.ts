/** Plans for entries that share images: how many are made anew follows from what fits. Pure. */
import { plan } from './plan.ts';
import type { PlanInput } from './plan-input.ts';
import { type Joining, shareImages } from './sharing.ts';
import type { Plan, Refusal } from './step.ts';

/**
 * Plans with as few images as possible. Where that does not fit, only those are made anew that
 * something joins.
 */
export function planShared(input: PlanInput): Plan | Refusal {
  const { inventory, roots, scope } = input;
  const sharing = (joining: Joining) => plan(shareImages(input, inventory, roots, joining));
  if (scope !== 'all') return sharing('none');
  const planned = sharing('all');
  if (!('kind' in planned) && planned.leftOut.length === input.leftOut.length) return planned;
  const least = sharing('joined');
  if ('kind' in planned) return least;
  return 'kind' in least || least.leftOut.length >= planned.leftOut.length ? planned : least;
}
