/** Orders entries as systemd-boot's menu does, and finds the one that boots by default. Pure. */
import { lastValue } from '../bls.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import {
  type BootCounter,
  ENTRIES_SREL,
  type EspPath,
  fileName,
  LOADER_CONF,
  parseBlobName,
} from '../esp/layout.ts';
import { namedNext, parseLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { compareVersions } from '../version.ts';

/** Returns the entry that boots when nobody chooses, as far as files tell. */
export function nextOf(
  { entries, loaderConf }: Inventory,
  sorted: readonly EntryFile[] = entries.toSorted(compareEntries),
): EntryFile | undefined {
  const conf = parseLoaderConf(new TextDecoder().decode(loaderConf));
  const named = (key: 'preferred' | 'default') => {
    const pattern = lastValue(conf, key);
    return sorted.find(({ id }) => pattern !== undefined && matchesPattern(pattern, id));
  };
  // A bad entry loses against others if it is only preferred, but not if it is the default
  // (loader.conf(5)).
  const preferred = named('preferred');
  return (preferred && !isBad(preferred) ? preferred : named('default')) ?? sorted[0];
}

/** Returns what loader.conf names to boot next, if that is an entry of ours and not there. */
export function goneNext({ entries, loaderConf }: Inventory): string | undefined {
  const pattern = namedNext(parseLoaderConf(new TextDecoder().decode(loaderConf)));
  if (pattern === undefined || !isOurName(pattern)) return undefined;
  return entries.some(({ id }) => matchesPattern(pattern, id)) ? undefined : pattern;
}

/** Tells whether a name is of the shape of our entries': others name programs that are in no list of ours. */
function isOurName(pattern: string): boolean {
  return /-generation-\d+-(?:.*-)?[a-z2-7]{52}(?:\*|\+\d+(?:-\d+)?)?\.(?:conf|efi)$/.test(pattern);
}

/** Tells whether a path has the name of an entry, a kernel or an initrd of ours, or of settings. */
export function hasOurName(path: EspPath): boolean {
  if (SETTINGS.has(path.toLowerCase())) return true;
  const name = fileName(path);
  return isOurName(name) || parseBlobName(name) !== undefined;
}

const SETTINGS: ReadonlySet<string> = new Set([LOADER_CONF, ENTRIES_SREL]);

/** Orders entries as the menu does (BLS §Sorting). Bad entries come last. */
export function compareEntries(a: SortedBy, b: SortedBy): number {
  return (
    Number(isBad(a)) - Number(isBad(b)) ||
    Number(a.sortKey === undefined) - Number(b.sortKey === undefined) ||
    compareText(a.sortKey ?? '', b.sortKey ?? '') ||
    (a.sortKey === undefined ? 0 : compareVersions(b.version ?? '', a.version ?? '')) ||
    compareVersions(b.id, a.id)
  );
}

/** A name that may have a counter. */
export interface Counted {
  readonly counter?: BootCounter | undefined;
}

/** Everything that decides an entry's place in the menu. */
export type SortedBy = Pick<EntryFile, 'id' | 'sortKey' | 'version'> & Counted;

/** Returns whether an entry has no tries left and never came up. */
export function isBad({ counter }: Counted): boolean {
  return counter?.triesLeft === 0;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
