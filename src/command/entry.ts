/** `entry next`, `entry default` and `loader timeout`: what the boot loader does next, by its own variables. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import {
  CHOICES,
  type Choice,
  choose,
  entryIdOf,
  setTimeoutOf,
} from '../firmware/loader-choice.ts';
import { openVariables } from '../firmware/variables.ts';
import { openSource } from '../generation/sources.ts';
import { lookAlone } from '../inspection/read-esp.ts';
import { readEsps } from '../pass/read-esps.ts';
import { generationName } from '../plan/wanted.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';

/** Has the boot loader start an entry at the next start, and only then. */
export function entryNext(invocation: Invocation, context: Context): Promise<number> {
  return perform('next', invocation, context);
}

/** Has the boot loader start an entry from now on, whatever is installed. */
export function entryDefault(invocation: Invocation, context: Context): Promise<number> {
  return perform('default', invocation, context);
}

async function perform(
  choice: Choice,
  { operands: [operand], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { clear, ...others } = flags;
  const { disk, environment, print } = context;
  requireOne(operand, clear === true, 'GENERATION');
  const settings = await readSettings(others, environment, disk);
  const variables = openVariables(context);
  const id = operand === undefined ? undefined : await idOf(operand, settings, context);
  const changed = choose(variables, choice, id);
  const name = CHOICES[choice];
  if (json) {
    print(
      JSON.stringify(
        { version: 1, verb: `entry ${choice}`, id: id ?? null, changed },
        undefined,
        2,
      ),
    );
  } else if (!changed) print('nothing to do');
  else print(id === undefined ? `${name} is cleared` : `${name} is ${id}`);
  return 0;
}

/** The primary ESP says which entries there are: the loader reads its own. */
async function idOf(operand: string, settings: Settings, context: Context): Promise<string> {
  const [primary] = await readEsps(settings, await lookAlone(settings, context), context);
  if (primary === undefined || primary.failure) throw primary?.failure;
  const { generations } = openSource(settings, context.disk).read();
  const kernel = generations.find(({ release }) => release === operand);
  return entryIdOf(primary.view.inventory, kernel ? generationName(kernel) : operand);
}

/** Sets how long the boot loader shows its menu. */
export async function loaderTimeout(
  { operands: [operand], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { clear, once } = flags;
  requireOne(operand, clear === true, 'SECONDS');
  const changed = setTimeoutOf(openVariables(context), once === true ? 'once' : 'always', operand);
  if (json) {
    const document = { version: 1, verb: 'loader timeout', timeout: operand ?? null, changed };
    context.print(JSON.stringify(document, undefined, 2));
  } else
    context.print(changed ? `the timeout is ${operand ?? 'that of loader.conf'}` : 'nothing to do');
  return 0;
}

function requireOne(operand: string | undefined, clears: boolean, what: string): void {
  if ((operand === undefined) === clears) return;
  throw new EspError(
    'CONFIG_INVALID',
    `expected ${what} or --clear, got ${clears ? 'both' : 'neither'}`,
  );
}
