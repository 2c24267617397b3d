/** The order of systemd-boot’s menu, and which entry boots when nothing is chosen. Pure. */
import { lastValue } from '../bls.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import type { BootCounter } from '../esp/layout.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { compareVersions } from '../loader/version.ts';

/** Returns the entry that boots when nothing is chosen, as far as files tell. */
export function nextOf(
  { entries, loaderConf }: Inventory,
  sorted: readonly EntryFile[] = entries.toSorted(compareEntries),
): EntryFile | undefined {
  const conf = parseLoaderConf(new TextDecoder().decode(loaderConf));
  const named = (key: 'preferred' | 'default') => {
    const pattern = lastValue(conf, key);
    return sorted.find(({ id }) => pattern !== undefined && matchesPattern(pattern, id));
  };
  // What is preferred gives way once it is bad; what is the default does not (loader.conf(5)).
  const preferred = named('preferred');
  return (preferred && !isBad(preferred) ? preferred : named('default')) ?? sorted[0];
}

/** Orders entries as the menu does (BLS §Sorting), those whose tries are used up last. */
export function compareEntries(a: SortedBy, b: SortedBy): number {
  return (
    Number(isBad(a)) - Number(isBad(b)) ||
    Number(a.sortKey === undefined) - Number(b.sortKey === undefined) ||
    compareText(a.sortKey ?? '', b.sortKey ?? '') ||
    (a.sortKey === undefined ? 0 : compareVersions(b.version ?? '', a.version ?? '')) ||
    compareVersions(b.id, a.id)
  );
}

/** What may have a counter. */
export interface Counted {
  readonly counter?: BootCounter | undefined;
}

/** What decides the place of an entry in the menu. */
export type SortedBy = Pick<EntryFile, 'id' | 'sortKey' | 'version'> & Counted;

/** Whether an entry was tried as often as it might be, and never came up. */
export function isBad({ counter }: Counted): boolean {
  return counter?.triesLeft === 0;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
