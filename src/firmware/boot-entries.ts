/** The boot entries of firmware: which there are, and those that lead to our boot loader. */
import { EspError } from '../error.ts';
import {
  type BootOption,
  bootVariableName,
  formatBootOption,
  formatBootOrder,
  type PartitionPlace,
  parseBootOption,
  parseBootOrder,
} from '../loader/boot-option.ts';
import { getVariable, namesOf, removeVariable, setVariable, type Variables } from './variables.ts';

/** One `Boot####`. */
export interface FirmwareEntry extends BootOption {
  readonly number: number;
}

/** All that firmware says of its boot entries. Numbers are those of entries. */
export interface FirmwareBoot {
  readonly entries: readonly FirmwareEntry[];
  readonly order: readonly number[];
  readonly next: number | undefined;
  readonly current: number | undefined;
  /** In seconds, of firmware’s own menu. */
  readonly timeout: number | undefined;
}

/** Reads the boot entries: those in BootOrder first, in its order. */
export function readFirmwareBoot(variables: Variables): FirmwareBoot {
  const words = (name: string) =>
    parseBootOrder(getVariable(variables, 'global', name) ?? new Uint8Array());
  const order = words('BootOrder');
  const numbers = namesOf(variables).flatMap((name) => {
    const [, digits] = /^Boot([0-9A-F]{4})$/i.exec(name) ?? [];
    return digits === undefined ? [] : Number.parseInt(digits, 16);
  });
  const place = (number: number) => (order.includes(number) ? order.indexOf(number) : order.length);
  const entries = numbers
    .sort((a, b) => place(a) - place(b) || a - b)
    .flatMap((number): FirmwareEntry[] => {
      const option = parseBootOption(
        getVariable(variables, 'global', bootVariableName(number)) ?? new Uint8Array(),
      );
      return option ? [{ number, ...option }] : [];
    });
  const [next] = words('BootNext');
  const [current] = words('BootCurrent');
  const [timeout] = words('Timeout');
  return { entries, order, next, current, timeout };
}

/** A program on an ESP that firmware should start. */
export interface Startable {
  readonly title: string;
  readonly partition: PartitionPlace;
  /** With backslashes. */
  readonly path: string;
  /** Whether firmware should come to it only after the program before it in the list. */
  readonly isFallback: boolean;
}

/**
 * Makes an entry of firmware for each program that has none, the lowest free number for each, and puts it
 * before the others, or a fallback behind what it is the fallback of. One that is there stays as it is; one
 * that BootOrder lost goes to its end.
 * @param first whether those that are there go before the others, too
 * @returns the numbers of entries that were made or moved
 * @throws {FIRMWARE_REFUSED}
 */
export function register(
  variables: Variables,
  wanted: readonly Startable[],
  first: boolean,
): readonly number[] {
  const { entries, order } = readFirmwareBoot(variables);
  const taken = new Set(namesOf(variables));
  const made: number[] = [];
  const known: number[] = [];
  for (const { title, partition, path } of wanted) {
    const found = entries.find((entry) => startsFrom(entry, partition.uuid, path));
    known.push(found?.number ?? lowestFree(taken));
    if (found) continue;
    const number = known.at(-1) ?? 0;
    taken.add(bootVariableName(number));
    made.push(number);
    // The entry comes before the order that names it: a name that leads nowhere starts nothing.
    setVariable(
      variables,
      'global',
      bootVariableName(number),
      formatBootOption({ title, partition, path }),
    );
  }
  const moved = first ? known : made;
  const lost = known.filter((number) => !moved.includes(number) && !order.includes(number));
  const leaders = new Map(
    wanted.flatMap(({ isFallback }, at) => (isFallback ? [[known[at], known[at - 1]]] : [])),
  );
  const isLed = (number: number) =>
    leaders.has(number) && !moved.includes(leaders.get(number) ?? 0);
  const staying = [...order.filter((number) => !moved.includes(number)), ...lost];
  const wish = [
    ...moved.filter((number) => !isLed(number)),
    ...staying.flatMap((number) => [
      number,
      ...moved.filter((other) => isLed(other) && leaders.get(other) === number),
    ]),
  ];
  const isMoved = setVariable(variables, 'global', 'BootOrder', formatBootOrder(wish));
  return isMoved ? [...new Set([...moved, ...lost])] : made;
}

/** Whether an entry starts a program of a partition. Firmware compares paths without regard to case. */
export function startsFrom(entry: BootOption, uuid: string, path: string): boolean {
  return entry.partition === uuid && entry.path?.toLowerCase() === path.toLowerCase();
}

const NUMBERS = 0x1_0000;

function lowestFree(taken: ReadonlySet<string>): number {
  for (let number = 0; number < NUMBERS; number++)
    if (!taken.has(bootVariableName(number))) return number;
  throw new EspError('FIRMWARE_REFUSED', 'all 65536 boot entries of firmware are taken', {
    hint: 'remove some: espalier firmware list',
  });
}

/**
 * Removes entries: from BootOrder and BootNext first, so that no power cut leaves a name that leads
 * nowhere.
 * @throws {FIRMWARE_REFUSED}
 */
export function forget(variables: Variables, numbers: readonly number[]): void {
  const { order, next } = readFirmwareBoot(variables);
  const rest = order.filter((number) => !numbers.includes(number));
  // A variable without a value is none.
  if (rest.length === 0) removeVariable(variables, 'global', 'BootOrder');
  else setVariable(variables, 'global', 'BootOrder', formatBootOrder(rest));
  if (next !== undefined && numbers.includes(next)) removeVariable(variables, 'global', 'BootNext');
  for (const number of numbers) removeVariable(variables, 'global', bootVariableName(number));
}
