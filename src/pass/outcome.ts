/** What became of one ESP in a pass. */
import type { EspError } from '../error.ts';
import type { Plan } from '../plan/step.ts';
import type { Report } from '../transaction/report.ts';
import type { Purpose } from './decide.ts';
import type { Removal } from './elsewhere.ts';

/** What became of one ESP, or would. */
export interface Outcome {
  readonly root: string;
  readonly plan?: Plan;
  /** What is removed from other partitions after the plan. */
  readonly removals?: readonly Removal[];
  readonly report?: Report;
  readonly failure?: EspError;
  readonly warnings: readonly string[];
}

/** What each verb is after. `plan` decides as `install` does, and stops there. */
export const PURPOSES = {
  install: { scope: 'all', deep: false },
  plan: { scope: 'all', deep: false },
  watch: { scope: 'all', deep: false },
  repair: { scope: 'repair', deep: true },
  gc: { scope: 'gc', deep: false },
} as const satisfies Record<string, Purpose>;

/** The verbs that make passes. */
export type PassVerb = keyof typeof PURPOSES;
