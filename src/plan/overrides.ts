/** Which EFI variables have the boot loader start another entry than the installed one. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { entryId } from '../esp/layout.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { comingCounter } from './kept-counters.ts';
import { compareEntries, type SortedBy } from './menu-order.ts';
import type { Plan, Refusal } from './step.ts';
import type { FirmwareView } from './view.ts';
import { entriesOf } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The entries that a boot loader shows, in any order. */
export type Menu = readonly SortedBy[];

/** Returns the entries that a plan leaves on the ESP; a refusal leaves those that are there. */
export function menuAfter(
  planned: Plan | Refusal,
  wanted: Pick<WantedSystem, 'musts' | 'wishes'>,
  { entries }: Pick<Inventory, 'entries'>,
): Menu {
  if ('kind' in planned) return entries;
  const own = new Set(planned.entries);
  const there = new Set(entries.map(({ id }) => id));
  const coming = entriesOf(wanted).filter(({ id }) => own.has(id) && !there.has(id));
  return [
    ...entries.filter(({ id, name }) => name === undefined || own.has(id)),
    ...coming.map((entry) => ({ ...entry, counter: comingCounter(entry) })),
  ];
}

/** The variables that override loader.conf, and how `bootctl` clears each. */
const OVERRIDES = {
  LoaderEntryOneShot: 'oneshot',
  LoaderEntryPreferred: 'preferred',
  LoaderEntryDefault: 'default',
} as const;

/** Those that stay until somebody clears them. The other one is for one start, and clears itself. */
export const LASTING_OVERRIDES = ['LoaderEntryPreferred', 'LoaderEntryDefault'] as const;

/**
 * Returns warnings about EFI variables that make another entry boot next than the installed one.
 * @param clears whether the lasting ones are about to be cleared
 */
export function overrides(
  firmware: FirmwareView | undefined,
  id: string,
  menu: Menu,
  clears = false,
): string[] {
  return (['LoaderEntryOneShot', ...(clears ? [] : LASTING_OVERRIDES)] as const).flatMap((name) => {
    const value = firmware?.variables[name];
    if (value === undefined || !startsAnother(value, id, menu)) return [];
    return [
      `the EFI variable ${name} is ${JSON.stringify(value)} and overrides what was installed to boot next; clear it with \`bootctl set-${OVERRIDES[name]} ''\``,
    ];
  });
}

/**
 * Returns whether a variable has the boot loader start another entry than this one. Its value is a pattern,
 * and systemd-boot takes the first entry of its menu that matches: `*` is not what was installed, but
 * whatever stands first. Where no entry matches, the value may name one that only the loader knows.
 */
export function startsAnother(value: string, id: string, menu: Menu): boolean {
  const [first] = menu.filter((entry) => matchesValue(value, entry.id)).toSorted(compareEntries);
  if (first === undefined) return !matchesValue(value, id);
  return first.id.toLowerCase() !== id.toLowerCase();
}

/** systemd-boot 254 and older take counters for a part of the ID, and so does what names one to them. */
function matchesValue(value: string, id: string): boolean {
  return matchesPattern(value, id) || matchesPattern(entryId(value), id);
}
