/** One option of a verb, as the command line declares it and its help shows it. */
export interface Option {
  /** Its long flag without dashes. */
  readonly name: string;
  /** What follows the flag; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: true;
  readonly help: string;
}
