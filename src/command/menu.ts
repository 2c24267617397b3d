/** The boot menu as systemd-boot will show it: which entries, in which order, and what each is. */

import { lastValue } from '../bls.ts';
import type { Disk } from '../disk/disk.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import type { BootCounter, EspPath } from '../esp/layout.ts';
import { findGenerationLinks } from '../generation/profile.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { compareVersions } from '../loader/version.ts';
import { bootedSystem } from './booted.ts';
import { pinsDirectory } from './pins.ts';
import type { Settings } from './settings.ts';

/** One line of the menu. Sizes in bytes. */
export interface MenuEntry {
  readonly id: string;
  readonly title: string | undefined;
  readonly version: string | undefined;
  readonly path: EspPath;
  /** What the entry's files occupy; what several entries share is counted for each. */
  readonly size: number;
  /** Number of the generation, of an entry of ours. */
  readonly generation: number | undefined;
  /** Whether it boots when nothing is chosen, as far as files tell. */
  readonly default: boolean;
  /** Whether it boots the system that is running. */
  readonly booted: boolean;
  /** Whether it boots a system that a person asked to keep. */
  readonly pinned: boolean;
  /** How often it may still be tried, of an entry that is counted; no more when it is bad. */
  readonly counter: BootCounter | undefined;
  readonly damage: string | undefined;
}

/** Returns the menu of an ESP whose inventory has been read. */
export function menuOf(
  root: string,
  inventory: Inventory,
  settings: Settings,
  disk: Disk,
): readonly MenuEntry[] {
  const booted = bootedSystem(disk, settings.booted);
  const pinned = findGenerationLinks(disk, pinsDirectory(settings, disk)).flatMap(
    ({ path }) => disk.realPath(path) ?? [],
  );
  const sorted = inventory.entries.toSorted(compareEntries);
  const first = nextOf(inventory, sorted);
  const blobs = new Map(inventory.blobs.map((blob) => [blob.path.toLowerCase(), blob]));
  return sorted.map((entry) => {
    const named = entry.references.map((path) => blobs.get(path.toLowerCase()));
    const broken = named.find((blob) => blob?.damage !== undefined);
    return {
      id: entry.id,
      title: entry.title,
      version: entry.version,
      path: entry.path,
      size: named.reduce((sum, blob) => sum + (blob?.size ?? 0), entry.size),
      generation: entry.name?.generation,
      default: entry === first,
      booted: booted !== undefined && boots(entry, booted),
      pinned: pinned.some((system) => boots(entry, system)),
      counter: entry.counter,
      damage:
        entry.damage ??
        missingFile(entry, disk, root) ??
        (broken && `it names ${broken.path}, which is damaged`),
    };
  });
}

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

/** Whether an entry's command line names the init of a system. */
export function boots({ cmdline }: EntryFile, system: string): boolean {
  return ` ${cmdline} `.includes(` init=${system}/`);
}

function missingFile({ references }: EntryFile, disk: Disk, root: string): string | undefined {
  const missing = references.find((path) => disk.stat(`${root}/${path}`)?.kind !== 'file');
  return missing && `${missing} is not there`;
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
interface Counted {
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
