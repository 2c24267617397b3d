/** One option of a verb, for the command line and its help. */
export interface Option {
  /** Its long flag, without dashes. */
  readonly name: string;
  /** The word behind the flag in the help; absent for a switch. */
  readonly value?: string;
  readonly repeatable?: true;
  readonly help: string;
}
