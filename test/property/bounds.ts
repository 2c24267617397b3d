/** How long chance may look for a counterexample. */
import type { Parameters } from 'fast-check';

/** Seconds for each property, where somebody has the time. */
const SECONDS = Number(process.env['ESPALIER_FUZZ_SECONDS'] ?? 0);

/** Whether nobody waits for the result. */
export const isUnhurried = SECONDS > 0;

/**
 * Returns the bounds of a property: so many runs from a fixed seed, the same on every machine; or
 * with ESPALIER_FUZZ_SECONDS that many seconds from a seed that fast-check tells when it fails.
 */
export function bounds<T>(runs: number): Parameters<T> {
  return isUnhurried
    ? { numRuns: 1_000_000, interruptAfterTimeLimit: SECONDS * 1000, markInterruptAsFailure: false }
    : { numRuns: runs, seed: 20_261_120 };
}
