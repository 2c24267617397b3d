/**
 * Decides what loader.conf says about the next entry, so that an entry that never comes up gives
 * way. Pure.
 */
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { countablePattern } from '../esp/layout.ts';
import type { BootsNext } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { compareVersions } from '../version.ts';
import { comingCounter } from './kept-counters.ts';
import { compareEntries, isBad, type SortedBy } from './menu-order.ts';
import { keyOf, ownFiles } from './present.ts';
import { protectedKeys, type Roots } from './roots.ts';
import { entriesOf } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The wanted generations, and the ID of the entry that boots next. */
type Wanted = Pick<WantedSystem, 'default' | 'settings' | 'musts' | 'wishes'>;

/** The first systemd-boot that knows `preferred` (loader.conf(5)). */
const KNOWS_PREFERRED = '260';

/**
 * Returns what to write for the entry that boots next. An entry without a counter becomes the
 * default. An entry with a counter is only preferred: a default boots however often it has failed.
 * The default is then any entry of ours, of which the loader takes the first in its menu that is
 * not bad.
 *
 * A loader before systemd 260 ignores `preferred`, so there the entry has to be first in the menu.
 * @param version of the boot loader that is installed; of two versions, the older one
 */
export function loaderDefault(
  wanted: Wanted,
  inventory: Inventory,
  roots: Roots,
  version: string,
): { readonly next: BootsNext; readonly warnings: readonly string[] } {
  const { default: id, settings } = wanted;
  const next = { id: countablePattern(id) };
  if (!isCounted(wanted, inventory)) return { next, warnings: [] };
  const fallback = `${settings['entry-token']}-generation-*`;
  const gives =
    compareVersions(version, KNOWS_PREFERRED) >= 0 ||
    firstOf(fallback, wanted, inventory, roots) === id;
  if (gives) return { next: { ...next, fallback }, warnings: [] };
  const warning = `${id} is counted, but systemd-boot ${version} goes on booting it when its tries are used up: it is not the first in the menu, and only ${KNOWS_PREFERRED} gives way then`;
  return { next, warnings: [warning] };
}

/** Returns whether the entry that boots next has a counter, or will get one. */
function isCounted({ default: id, settings, ...wanted }: Wanted, { entries }: Inventory): boolean {
  const found = entries.filter((entry) => entry.id.toLowerCase() === id.toLowerCase());
  if (found.length > 0) return found.some(({ counter }) => counter !== undefined);
  const coming = entriesOf(wanted).find((entry) => entry.id === id);
  return coming ? comingCounter(coming) !== undefined : settings['boot-counting'] > 0;
}

/** Returns the ID of the first matching entry in the menu that is not bad. */
function firstOf(
  pattern: string,
  system: Pick<Wanted, 'musts' | 'wishes'>,
  inventory: Inventory,
  roots: Roots,
): string | undefined {
  const { entries } = inventory;
  const wanted = entriesOf(system);
  const comingBad = wanted.filter((entry) => comingCounter(entry)?.triesLeft === 0);
  const bad = new Set([...entries.filter(isBad), ...comingBad].map(({ id }) => id));
  const own = ownFiles(inventory);
  const kept = protectedKeys(roots, inventory, own);
  const stays = ({ path }: EntryFile) => kept.has(keyOf(path)) || !own.has(keyOf(path));
  const listed: readonly SortedBy[] = [...wanted, ...entries.filter(stays)];
  const [first] = listed
    .filter(({ id }) => matchesPattern(pattern, id) && !bad.has(id))
    .toSorted(compareEntries);
  return first?.id;
}
