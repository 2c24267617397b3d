/** A level-triggered loop: whatever poked it, it brings the world in line as it is now. */

/** How a pass ended: with the world in line, or with something that has to be tried again. */
export type Outcome = 'settled' | 'unsettled';

/** How long to wait. Milliseconds. */
export interface Timing {
  /** From a poke to the pass that answers it; all pokes in between get the same pass. */
  readonly debounce: number;
  /** From a settled pass to the next one that nobody asked for; zero for none. */
  readonly rescan: number;
  /** From an unsettled pass to the next: twice as long each time, from the first to the longest. */
  readonly retry: { readonly first: number; readonly longest: number };
}

/** Time and chance, as the loop needs them. */
export interface Clock {
  /** Calls `work` once after `delay` milliseconds, unless what it returns is called before. */
  after(delay: number, work: () => void): () => void;
  /** Returns a number from 0 to below 1. */
  random(): number;
}

/** A running loop. */
export interface Loop {
  /** Says that something may have changed. */
  poke(): void;
  /** Starts no more passes and waits for the one that runs. */
  stop(): Promise<void>;
  /** Settles when the loop has ended; rejects with what a pass threw, which ends the loop. */
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
 * Runs `reconcile` now, after each poke, again and again while it is unsettled, and once in a while.
 * Never twice at a time: a poke during a pass leads to one more pass after it.
 */
export function startLoop(
  reconcile: () => Promise<Outcome>,
  timing: Timing,
  clock: Clock = systemClock,
): Loop {
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  let running = false;
  let stopping = false;
  /** Whether anything was said since the last pass began. */
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

/** Half of the delay is left to chance, so that what failed together is not tried again together. */
function retryDelay(failures: number, { retry }: Timing, chance: number): number {
  const full = Math.min(retry.longest, retry.first * 2 ** (failures - 1));
  return full * (0.5 + chance / 2);
}
