/** Which generations the ESP should hold, and which of those it must. */
import { compareGenerations, type Generation } from './generation.ts';

/** Why a generation must stay, whatever the limit says. */
export type RootReason =
  /** It is being installed to boot next. */
  | 'target'
  /** Its profile leads to it. */
  | 'current'
  /** The running system was booted from it. */
  | 'booted'
  /** A person asked for it. */
  | 'pinned';

/** A generation that no limit and no shortage of space may cost. */
export interface Must {
  readonly generation: Generation;
  readonly because: RootReason;
}

/** A generation that is not wanted on the ESP. */
export interface LeftOut {
  readonly generation: Generation;
  readonly because: 'limit';
}

/** Every generation once, each list with the system profile first and newer before older. */
export interface Retention {
  readonly musts: readonly Must[];
  readonly wishes: readonly Generation[];
  readonly leftOut: readonly LeftOut[];
}

export interface RetentionPolicy {
  /** How many of the newest generations each profile keeps; 0 keeps all. */
  readonly limit: number;
  /** What must stay, by toplevel: every generation of that system. */
  readonly roots: ReadonlyMap<string, RootReason>;
}

/**
 * Sorts generations into those that must be installed, those that should be, and those over the
 * limit. The target takes one of the places the limit gives, even when newer generations exist;
 * other roots take one only if they are among the newest, and stay beyond the limit if they are not.
 */
export function retain(generations: readonly Generation[], policy: RetentionPolicy): Retention {
  const musts: Must[] = [];
  const wishes: Generation[] = [];
  const leftOut: LeftOut[] = [];
  const places = countPlaces(generations, policy);
  for (const generation of generations.toSorted(compareGenerations)) {
    const because = policy.roots.get(generation.toplevel);
    const left = places.get(generation.profile) ?? 0;
    if (because !== 'target') places.set(generation.profile, left - 1);
    if (because !== undefined) musts.push({ generation, because });
    else if (left > 0) wishes.push(generation);
    else leftOut.push({ generation, because: 'limit' });
  }
  return { musts, wishes, leftOut };
}

/** Returns how many places each profile has left once its targets have taken theirs. */
function countPlaces(
  generations: readonly Generation[],
  { limit, roots }: RetentionPolicy,
): Map<string | undefined, number> {
  const places = new Map<string | undefined, number>();
  for (const { profile, toplevel } of generations) {
    const left = places.get(profile) ?? (limit === 0 ? Number.POSITIVE_INFINITY : limit);
    places.set(profile, roots.get(toplevel) === 'target' ? left - 1 : left);
  }
  return places;
}
