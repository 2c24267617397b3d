/** `firmware list`, `register` and `forget`: the boot entries of firmware. */

import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import {
  type FirmwareBoot,
  type FirmwareEntry,
  forget,
  readFirmwareBoot,
  register,
  startsFrom,
} from '../firmware/boot-entries.ts';
import { ownLoaders, ownPlaces } from '../firmware/own-loaders.ts';
import { openVariables } from '../firmware/variables.ts';
import { bootVariableName } from '../loader/boot-option.ts';
import type { Meaning, Part, Text } from '../process/styled-text.ts';
import { choices } from '../quantity.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { joined } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import { formatTable } from '../terminal/table.ts';
import { type Esp, findEsps } from '../volumes/esp-roots.ts';

/** Lists the boot entries of firmware, with what each of them starts. */
export async function firmwareList({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const boot = readFirmwareBoot(openVariables(context));
  const esps = knownEsps(settings, context);
  const entries = boot.entries.map((entry) => describe(entry, boot, esps, context));
  const { timeout = null } = boot;
  if (json) {
    print(JSON.stringify({ version: 1, verb: 'firmware list', timeout, entries }, undefined, 2));
  } else {
    print(
      entries.length > 0 ? formatTable(HEAD, entries.map(row)) : 'firmware has no boot entries',
    );
  }
  return entries.some(({ dangling }) => dangling) ? EXIT_WARNINGS : 0;
}

/** A machine without an ESP that can be read has boot entries all the same. */
function knownEsps(settings: Settings, context: Context): readonly Esp[] {
  try {
    return findEsps(settings, context, 'read').filter(({ failure }) => !failure);
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}

/** One boot entry, for a person or a program. */
interface ListedEntry {
  readonly entry: string;
  readonly title: string;
  readonly active: boolean;
  readonly partition: string | null;
  readonly path: string | null;
  /** Where the program lies here; null when its partition is not one of the ESPs. */
  readonly file: string | null;
  /** Whether the program is known not to be there. */
  readonly dangling: boolean;
  readonly state: readonly string[];
}

function describe(
  entry: FirmwareEntry,
  { order, next, current }: FirmwareBoot,
  esps: readonly Esp[],
  { disk }: Context,
): ListedEntry {
  const { number, title, isActive, partition = null, path = null } = entry;
  const esp = partition && esps.find((each) => each.partition?.uuid === partition);
  const file = esp && path ? `${esp.root}${path.replaceAll('\\', '/')}` : null;
  const states = {
    next: next === number,
    'started by': current === number,
    inactive: !isActive,
    'not in the order': !order.includes(number),
  };
  return {
    entry: bootVariableName(number),
    title,
    active: isActive,
    partition,
    path,
    file,
    dangling: file !== null && disk.stat(file)?.kind !== 'file',
    state: Object.entries(states).flatMap(([state, holds]) => (holds ? [state] : [])),
  };
}

/** What a state means; the others mean nothing in particular. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  next: 'heading',
  'started by': 'good',
  inactive: 'quiet',
  'not in the order': 'quiet',
};
const HEAD = ['ENTRY', 'TITLE', 'STARTS', 'STATE'] as const;

function row({ entry, title, partition, path, file, dangling, state }: ListedEntry): Text[] {
  const elsewhere = path === null ? 'no file' : `${path}${partition ? ` on ${partition}` : ''}`;
  const told = state.map((text): Part => {
    const meaning = MEANINGS[text];
    return meaning === undefined ? text : { text, meaning };
  });
  const missing: readonly Part[] = dangling ? [{ text: 'NOT THERE', meaning: 'bad' }] : [];
  return [
    entry,
    printable(title),
    printable(file ?? elsewhere),
    joined([...told, ...missing], ', '),
  ];
}

/** Has firmware start our boot loader, from each ESP. */
export async function firmwareRegister(
  { flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { first, title, ...others } = flags;
  const { disk, environment, print } = context;
  const settings = await readSettings(others, environment, disk);
  const variables = openVariables(context);
  const wanted = ownLoaders(settings, context, typeof title === 'string' ? title : undefined);
  const changed = register(variables, wanted, first === true).map(bootVariableName);
  if (json) {
    print(JSON.stringify({ version: 1, verb: 'firmware register', changed }, undefined, 2));
  } else {
    print(changed.length > 0 ? `set ${changed.join(', ')} and BootOrder` : 'nothing to do');
  }
  return 0;
}

/** Removes boot entries: those that lead to our boot loaders, or the one that is named. */
export async function firmwareForget(
  { operands: [operand], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const variables = openVariables(context);
  const { entries } = readFirmwareBoot(variables);
  const gone = operand === undefined ? ours(entries, settings, context) : [named(entries, operand)];
  forget(variables, gone);
  const removed = gone.map(bootVariableName);
  if (json) print(JSON.stringify({ version: 1, verb: 'firmware forget', removed }, undefined, 2));
  else print(removed.length > 0 ? `removed ${removed.join(', ')}` : 'nothing to do');
  return 0;
}

function ours(
  entries: readonly FirmwareEntry[],
  settings: Settings,
  context: Context,
): readonly number[] {
  const own = ownPlaces(settings, context);
  const isOurs = (entry: FirmwareEntry) =>
    own.some(({ partition, path }) => startsFrom(entry, partition.uuid, path));
  return entries.filter(isOurs).map(({ number }) => number);
}

function named(entries: readonly FirmwareEntry[], operand: string): number {
  const found = entries.find(
    ({ number }) => bootVariableName(number).toLowerCase() === operand.toLowerCase(),
  );
  if (found) return found.number;
  throw new EspError('CONFIG_INVALID', `${operand}: firmware has no such boot entry`, {
    hint: choices(entries.map(({ number }) => bootVariableName(number))),
  });
}
