/** What a verb is for the command line. Each table of verbs is one of these lists. */
import type { Context } from '../context.ts';
import type { Invocation } from '../settings/invocation.ts';
import type { Option } from '../settings/option.ts';
import { locationOptions, settingOptions } from '../settings/verb-options.ts';

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
  /** Why there is nothing to print as JSON; absent where `--json` prints a document. */
  readonly withoutDocument?: string;
  readonly summary: string;
  readonly example: string;
  /** Loads the code of the verb. It is given all verbs, because one of them speaks of the others. */
  readonly load: (all: readonly VerbDeclaration[]) => Promise<Verb>;
}

/** Returns every option of a verb except those that all verbs have. */
export function optionsOf({ name, own = [] }: VerbDeclaration): readonly Option[] {
  return [...settingOptions(name), ...own, ...locationOptions(name)];
}

const JSON_OPTION: Option = { name: 'json', help: 'print a JSON document' };

/** The options that all verbs have. */
const COMMON_OPTIONS: readonly Option[] = [
  { name: 'verbose', help: 'log more; twice logs every step' },
  { name: 'quiet', help: 'log errors only' },
  { name: 'log-format', value: 'text|json', help: 'how lines of the log look (default: text)' },
  {
    name: 'color',
    value: 'auto|always|never',
    help: 'colours in what is printed (default: auto)',
  },
  { name: 'help', help: 'show the options' },
];

/** Returns the options that a verb has as others have them. */
export function commonOptionsOf({ withoutDocument }: VerbDeclaration): readonly Option[] {
  return withoutDocument === undefined ? [JSON_OPTION, ...COMMON_OPTIONS] : COMMON_OPTIONS;
}

/** What the verbs of two words have in common, by their first word. */
export const GROUPS: Readonly<Record<string, string>> = {
  completion: 'have a shell complete command lines',
  config: 'look at the settings that are in force',
  image: 'make disk images, and look into them',
  uki: 'build Unified Kernel Images by hand, and look into them',
  pcrlock: 'predict measurements for systemd-pcrlock',
  kernel: 'keep the kernels that packages install as generations',
  firmware: 'the boot entries of firmware',
  entry: 'what the boot loader starts once, or always',
  loader: 'what the boot loader does',
  keys: 'make the keys of Secure Boot, and have firmware take them',
  verity: 'make hash areas of dm-verity, check and sign them',
};
