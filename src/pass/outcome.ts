/** What became of one ESP in a pass. */
import type { EspError } from '../error.ts';
import type { Removal } from '../plan/elsewhere.ts';
import type { Scope } from '../plan/scope.ts';
import type { Plan } from '../plan/step.ts';
import type { Report } from '../transaction/report.ts';

/** What became of one ESP, or would. */
export interface Outcome {
  readonly root: string;
  readonly plan?: Plan;
  /** What is removed from other partitions after the plan. */
  readonly removals?: readonly Removal[];
  /** The ID of the entry that the profiles alone would make boot next. */
  readonly byProfiles?: string;
  readonly report?: Report;
  readonly failure?: EspError;
  readonly warnings: readonly string[];
}

/** What a verb is after: how much it may do, and how closely it looks at what is there. */
export interface Purpose {
  readonly scope: Scope;
  /** Every byte is read, instead of names, sizes and headers. */
  readonly deep: boolean;
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
