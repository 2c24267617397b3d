/** Which entry boots next when the wanted one is bad or lacks a file. */
import type { Inventory } from '../esp/inventory.ts';
import { comingCounter, keepCounters } from '../plan/kept-counters.ts';
import { isBad } from '../plan/menu-order.ts';
import type { WantedEntry } from '../plan/wanted.ts';
import { standIn, withDefault } from '../survey/stand-in.ts';
import type { Survey } from '../survey/surveyed.ts';

/** Returns a survey in which what is written anew under another name keeps its boot counter. */
export function withKeptCounters(surveyed: Survey, { entries }: Inventory): Survey {
  const { musts, wishes } = surveyed;
  const kept = keepCounters([...musts, ...wishes], entries);
  return { ...surveyed, musts: kept.slice(0, musts.length), wishes: kept.slice(musts.length) };
}

/**
 * Leaves out of what boots next an entry that is bad: tried as often as it might be, without coming up
 * (BLS §Boot counting), or one for which a file is not there that others have to put there. The running
 * system takes its place, else the newest that is good.
 * @param lacking the IDs of entries that name a file which is not there
 */
export function withGoodDefault(
  surveyed: Survey,
  { entries }: Inventory,
  lacking: ReadonlySet<string>,
): Survey {
  const { default: id, unreachable, musts, wishes } = surveyed;
  const wanted = [...musts, ...wishes].flatMap((generation) => generation.entries);
  const failing = new Set([
    ...entries.filter(isBad).map((entry) => entry.id),
    ...wanted.filter((entry) => comingCounter(entry)?.triesLeft === 0).map((entry) => entry.id),
    ...lacking,
  ]);
  if (!failing.has(id)) return surveyed;
  const isGood = (entry: WantedEntry) => !failing.has(entry.id) && !unreachable.has(entry.id);
  const other = standIn(surveyed, isGood);
  const failed = lacking.has(id)
    ? `${id} does not boot without a file that is not on the ESP`
    : `${id} is bad: it was tried as often as it may be, and did not come up`;
  const warning = other
    ? `${failed}; ${other.id} is made the one that boots next`
    : `${failed}; there is no other to boot next`;
  const told = { ...surveyed, warnings: [...surveyed.warnings, warning] };
  return other ? withDefault(told, other.id) : told;
}
