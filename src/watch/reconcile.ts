/** A level-triggered loop: each pass brings the ESPs in line as they are now, whatever poked it. */

/** The result of a pass: everything is in line, or something has to be tried again. */
export type Outcome = 'settled' | 'unsettled';

/** Waiting times in milliseconds. */
export interface Timing {
  /** From a poke to the pass that answers it. All pokes in between share that pass. */
  readonly debounce: number;
  /** From a settled pass to the next one without a poke; zero for none. */
  readonly rescan: number;
  /** From an unsettled pass to the next. It doubles each time, from `first` to `longest`. */
  readonly retry: { readonly first: number; readonly longest: number };
}

/** The time and the random numbers of the loop. */
export interface Clock {
  /** Calls `work` once after `delay` milliseconds. The returned function cancels that. */
  after(delay: number, work: () => void): () => void;
  /** Returns a random number from 0 to below 1. */
  random(): number;
}

/** A running loop. */
export interface Loop {
  /** Says that something may have changed. */
  poke(): void;
  /** Starts no more passes, and waits for the running one. */
  stop(): Promise<void>;
  /**
   * Settles when the loop has ended. Rejects with an error that a pass threw, which ends the loop.
   */
  readonly ended: Promise<void>;
}

const systemClock: Clock = {
  after(delay, work) {
    const timer = setTimeout(work, delay);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/**
 * Runs `reconcile` now, after each poke, repeatedly while it is unsettled, and at each rescan. It
 * never runs twice at a time: a poke during a pass leads to one more pass after it.
 */
export function startLoop(
  reconcile: () => Promise<Outcome>,
  timing: Timing,
  clock: Clock = systemClock,
): Loop {
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  let running = false;
  let stopping = false;
  /** Whether a poke came since the last pass began. */
  let dirty = false;
  let failures = 0;
  let cancel = (): void => undefined;

  const schedule = (delay: number): void => {
    cancel();
    cancel = clock.after(delay, () => void run().catch(fail));
  };
  const run = async (): Promise<void> => {
    running = true;
    dirty = false;
    const outcome = await reconcile();
    running = false;
    failures = outcome === 'settled' ? 0 : failures + 1;
    if (stopping) end();
    else if (dirty) schedule(timing.debounce);
    else if (failures > 0) schedule(retryDelay(failures, timing, clock.random()));
    else if (timing.rescan > 0) schedule(timing.rescan);
  };

  schedule(0);
  return {
    poke() {
      if (stopping || dirty) return;
      dirty = true;
      if (!running) schedule(timing.debounce);
    },
    stop() {
      stopping = true;
      cancel();
      if (!running) end();
      return ended;
    },
    ended,
  };
}

/** Half of the delay is random, so that passes that failed together are not retried together. */
function retryDelay(failures: number, { retry }: Timing, chance: number): number {
  const full = Math.min(retry.longest, retry.first * 2 ** (failures - 1));
  return full * (0.5 + chance / 2);
}
