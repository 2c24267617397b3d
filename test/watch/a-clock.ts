/** Time that passes when a test says so. */
import type { Clock } from '../../src/watch/reconcile.ts';

interface Timer {
  readonly due: number;
  readonly work: () => void;
}

/** A clock whose hands are moved by hand, in milliseconds. */
export interface FakeClock extends Clock {
  readonly now: number;
  /** Milliseconds until each timer that is set, the next first. */
  readonly waits: readonly number[];
  /** Lets time pass: each timer that comes due works at its time, and what it began goes on. */
  pass(duration: number): Promise<void>;
}

/** Lets everything run that waits for nothing but its turn. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Returns a clock at zero. @param chance what it calls random */
export function aClock(chance = 0.5): FakeClock {
  let now = 0;
  const timers = new Set<Timer>();
  const next = (until: number): Timer | undefined =>
    [...timers].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0];
  return {
    get now() {
      return now;
    },
    get waits() {
      return [...timers].map(({ due }) => due - now).sort((a, b) => a - b);
    },
    after(delay, work) {
      const timer = { due: now + delay, work };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    random: () => chance,
    async pass(duration) {
      const until = now + duration;
      for (let timer = next(until); timer; timer = next(until)) {
        now = timer.due;
        timers.delete(timer);
        timer.work();
        await settle();
      }
      now = until;
    },
  };
}
