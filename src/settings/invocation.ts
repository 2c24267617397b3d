/** What the command line passes to a verb. */
import type { RawSettings } from './configuration-file.ts';

/** What a verb gets from the command line. */
export interface Invocation {
  /** The operands that were given. */
  readonly operands: readonly string[];
  readonly flags: RawSettings;
  readonly json: boolean;
  /** -1 with `-q`, 0, or the number of `-v`. */
  readonly verbosity: number;
}
