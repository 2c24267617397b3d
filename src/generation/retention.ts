/** Decides which generations the ESP should hold, and which it must. */
import { compareGenerations, type Generation } from './generation.ts';

/** Why a generation must stay, whatever the limit says. */
export type RootReason =
  /** A run installs it to boot next. */
  | 'target'
  /** Its profile leads to it. */
  | 'current'
  /** The running system was booted from it. */
  | 'booted'
  /** A person pinned it. */
  | 'pinned';

/** A generation that must be on the ESP, whatever the limit and the space are. */
export interface Must {
  readonly generation: Generation;
  readonly because: RootReason;
}

/** A generation that should not be on the ESP. */
export interface LeftOut {
  readonly generation: Generation;
  readonly because: 'limit';
}

/** Every generation once. In each list the system profile comes first, and newer before older. */
export interface Retention {
  readonly musts: readonly Must[];
  readonly wishes: readonly Generation[];
  readonly leftOut: readonly LeftOut[];
}

export interface RetentionPolicy {
  /** How many of the newest generations each profile keeps; 0 keeps all. */
  readonly limit: number;
  /** Why systems must stay, by toplevel. It applies to every generation of such a system. */
  readonly roots: ReadonlyMap<string, RootReason>;
}

/**
 * Sorts generations into those that must be installed, those that should be, and those over the
 * limit. The target counts towards the limit even when newer generations exist. Other roots count
 * only if they are among the newest; if not, they stay beyond the limit.
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

/** An installed kernel's generation, and the real path of its system. */
type KernelGeneration = Pick<Generation, 'number' | 'release'> & {
  readonly toplevel?: string | undefined;
};

/**
 * Returns the generations of installed kernels that a newer one of the same release replaces. Once one
 * has booted, as the running one has, those before it are replaced, and of those behind it only the newest
 * counts. Where none of a release runs, nobody knows which of them have booted: the newest two stay.
 * @param running the real path of the running system
 * @param isBroken says of a generation that it cannot be installed: the next one replaces it
 */
export function superseded<G extends KernelGeneration>(
  generations: readonly G[],
  running: string | undefined,
  isBroken: (generation: G) => boolean = () => false,
): readonly G[] {
  const kernels = Map.groupBy(
    generations.filter(({ release }) => release !== undefined),
    ({ release }) => release,
  );
  return [...kernels.values()].flatMap((all) => {
    const [newest, ...others] = all.toSorted((a, b) => b.number - a.number);
    const whole = others.filter((each) => !isBroken(each));
    const isRunning = (each: G | undefined) => running !== undefined && each?.toplevel === running;
    const booted = isRunning(newest) ? newest : (whole.find(isRunning) ?? whole[0]);
    return others.filter((each) => each !== booted);
  });
}

/** Returns how many places each profile has left after its targets. */
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
