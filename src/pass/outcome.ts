/** The outcome of one ESP in a pass. */
import { EspError } from '../error.ts';
import type { Removal } from '../plan/elsewhere.ts';
import type { Menu } from '../plan/overrides.ts';
import type { Scope } from '../plan/scope.ts';
import type { Plan, Refusal } from '../plan/step.ts';
import type { Survey } from '../survey/surveyed.ts';
import type { Report } from '../transaction/report.ts';

/** What a pass did to one ESP, or would do. */
export interface Outcome {
  readonly root: string;
  readonly plan?: Plan;
  /** Removals from other partitions, which follow the plan. */
  readonly removals?: readonly Removal[];
  /** The ID of the entry that would boot next if the profiles alone decided. */
  readonly byProfiles?: string;
  /** What the boot loader shows once the plan is carried out. */
  readonly menu?: Menu;
  /** The format of the entries, and why it is that one. */
  readonly format?: Survey['format'];
  readonly report?: Report;
  readonly failure?: EspError;
  /** EFI variables that were set or removed after the files, each with what became of it. */
  readonly firmware?: readonly string[];
  /** Systems that entries of this machine lead to, as far as the ESP was read. */
  readonly systems?: readonly string[];
  readonly warnings: readonly string[];
}

/** The purpose of a verb: how much of a plan it may carry out, and how closely it looks. */
export interface Purpose {
  readonly scope: Scope;
  /** Reads every byte, instead of names, sizes and headers. */
  readonly deep: boolean;
}

/** The purpose of each verb. `plan` decides as `install` does, and stops there. */
export const PURPOSES = {
  install: { scope: 'all', deep: false },
  plan: { scope: 'all', deep: false },
  watch: { scope: 'all', deep: false },
  repair: { scope: 'repair', deep: true },
  gc: { scope: 'gc', deep: false },
} as const satisfies Record<string, Purpose>;

/** The verbs that make passes. */
export type PassVerb = keyof typeof PURPOSES;

/** Returns the error that a refusal is for the ESP at `root`. */
export function refusalOf(root: string, { message, hint }: Refusal): EspError {
  return new EspError('ESP_FULL', `${root}: ${message}`, { hint });
}
