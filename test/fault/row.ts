/** One row of the table of faults, and how many of all faults stand behind it. */

/** What was tried on one scenario, and what was wrong. */
export interface Row {
  readonly scenario: string;
  /** How many operations, or system calls on the ESP, an undisturbed run makes. */
  readonly operations: number;
  /** How many faults were tried. */
  readonly faults: number;
  /** Each as a sentence; none is as it should be. */
  readonly findings: readonly string[];
}

/** Which faults are tried: every `stride`-th, from `offset` on. */
export interface Sample {
  readonly stride: number;
  readonly offset: number;
}
