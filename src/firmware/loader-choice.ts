/** What the boot loader starts once, and always, by its own variables. */

import { EspError } from '../error.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { countablePattern } from '../esp/layout.ts';
import { choices } from '../quantity.ts';
import { utf16Bytes } from '../utf16.ts';
import { getVariable, removeVariable, setVariable, type Variables } from './variables.ts';

/** Which of the loader’s choices. */
export const CHOICES = { next: 'LoaderEntryOneShot', default: 'LoaderEntryDefault' } as const;

export type Choice = keyof typeof CHOICES;

/**
 * Sets what the boot loader starts, or clears it.
 * @returns whether anything was written
 * @throws {FIRMWARE_REFUSED}
 */
export function choose(variables: Variables, choice: Choice, id: string | undefined): boolean {
  const name = CHOICES[choice];
  if (id === undefined) return removeVariable(variables, 'loader', name);
  return setVariable(variables, 'loader', name, utf16Bytes(id));
}

/**
 * Returns the ID by which the loader finds an entry of this ESP. An entry that is counted is found by a
 * pattern: systemd-boot 254 and older take the counter for a part of the ID.
 * @param generation the number of a generation, or the ID of an entry, whoever’s it is
 * @throws {CONFIG_INVALID} when there is no such entry
 */
export function entryIdOf({ entries }: Pick<Inventory, 'entries'>, generation: string): string {
  const named = (entry: EntryFile) =>
    entry.id.toLowerCase() === generation.toLowerCase() ||
    (String(entry.name?.generation) === generation && entry.name?.slug === undefined);
  const found = entries.find(named);
  if (found) return found.counter && found.name ? countablePattern(found.id) : found.id;
  const known = entries.map(({ id, name }) => (name ? String(name.generation) : id));
  throw new EspError('CONFIG_INVALID', `${generation}: there is no such boot entry`, {
    hint: choices([...new Set(known)]),
  });
}

/** Texts that systemd-boot takes for a time (loader.conf(5)). */
const WORDS = ['menu-force', 'menu-hidden', 'menu-disabled'];
const TIMEOUTS = { once: 'LoaderConfigTimeoutOneShot', always: 'LoaderConfigTimeout' } as const;
/** In seconds: as many as a person may wait for. */
const LONGEST = 4_294_967_295;
/** The bit of LoaderFeatures by which a loader says that it knows such words. */
const KNOWS_WORDS = 1n << 13n;

/**
 * Sets how long the boot loader shows its menu, or clears it.
 * @returns whether anything was written
 * @throws {CONFIG_INVALID} when it is no time {FIRMWARE_REFUSED}
 */
export function setTimeoutOf(
  variables: Variables,
  when: keyof typeof TIMEOUTS,
  text: string | undefined,
): boolean {
  if (text === undefined) return removeVariable(variables, 'loader', TIMEOUTS[when]);
  const isNumber = /^\d{1,10}$/.test(text) && Number(text) <= LONGEST;
  if (!isNumber && !WORDS.includes(text)) {
    throw new EspError('CONFIG_INVALID', `${text}: expected seconds, ${WORDS.join(', ')}`);
  }
  if (!isNumber && !knowsWords(variables)) {
    throw new EspError(
      'CONFIG_INVALID',
      `${text}: the boot loader of this machine takes only seconds`,
      {
        hint: 'give a number: 0 shows no menu, unless a key is held',
      },
    );
  }
  return setVariable(variables, 'loader', TIMEOUTS[when], utf16Bytes(text));
}

function knowsWords(variables: Variables): boolean {
  const value = getVariable(variables, 'loader', 'LoaderFeatures');
  if (value?.length !== 8) return false;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  return (view.getBigUint64(0, true) & KNOWS_WORDS) !== 0n;
}
