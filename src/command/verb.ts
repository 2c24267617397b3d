/** What a verb is for the command line. Each table of verbs is one of these lists. */
import type { Context } from '../context.ts';
import type { Invocation } from '../settings/invocation.ts';
import type { Option } from '../settings/option.ts';

/** Runs a verb and returns the exit status. */
type Verb = (invocation: Invocation, context: Context) => Promise<number>;

/** An operand: `<UNIT>`, `[TOPLEVEL]` when it is optional, `<FILE...>` for one or more. */
export interface Operand {
  readonly syntax: string;
  readonly help: string;
}

export interface VerbDeclaration {
  /** One word, or two: `uki build`. */
  readonly name: string;
  readonly operands?: readonly Operand[];
  /** Options of this verb that are no settings. */
  readonly own?: readonly Option[];
  /** Whether it runs no program that adds secrets to an initrd, unless it is asked to. */
  readonly runsNothing?: true;
  readonly summary: string;
  readonly example: string;
  readonly load: () => Promise<Verb>;
}
