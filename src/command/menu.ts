/** The boot menu as systemd-boot will show it: which entries, in which order, and what each is. */

import { lastValue } from '../bls.ts';
import type { Disk } from '../disk/disk.ts';
import { type EntryFile, type Inventory, scanInventory } from '../esp/inventory.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { compareVersions } from '../loader/version.ts';
import type { Settings } from './settings.ts';

/** One line of the menu. Sizes in bytes. */
export interface MenuEntry {
  readonly id: string;
  readonly title: string | undefined;
  readonly version: string | undefined;
  readonly path: string;
  /** What the entry's files occupy; what several entries share is counted for each. */
  readonly size: number;
  /** Number of the generation, of an entry of ours. */
  readonly generation: number | undefined;
  /** Whether it boots when nothing is chosen, as far as files tell. */
  readonly default: boolean;
  /** Whether it boots the system that is running. */
  readonly booted: boolean;
  readonly damage: string | undefined;
}

/** An ESP as its menu shows it. */
export interface Menu {
  readonly inventory: Inventory;
  readonly entries: readonly MenuEntry[];
}

/** Reads the menu of an ESP. */
export function readMenu(disk: Disk, root: string, settings: Settings): Menu {
  const inventory = scanInventory(disk, root, settings['entry-token']);
  const booted = disk.realPath(settings.booted);
  const conf = inventory.loaderConf && new TextDecoder().decode(inventory.loaderConf);
  const pattern = conf === undefined ? undefined : lastValue(parseLoaderConf(conf), 'default');
  const sorted = inventory.entries.toSorted(compareEntries);
  const isDefault = ({ id }: EntryFile) => pattern !== undefined && matchesPattern(pattern, id);
  const first = sorted.find(isDefault) ?? sorted[0];
  const sizes = new Map(inventory.blobs.map(({ path, size }) => [path.toLowerCase(), size]));
  return {
    inventory,
    entries: sorted.map((entry) => ({
      id: entry.id,
      title: entry.title,
      version: entry.version,
      path: entry.path,
      size: entry.references.reduce(
        (sum, path) => sum + (sizes.get(path.toLowerCase()) ?? 0),
        entry.size,
      ),
      generation: entry.name?.generation,
      default: entry === first,
      booted: booted !== undefined && ` ${entry.cmdline} `.includes(` init=${booted}/`),
      damage: entry.damage ?? missingFile(entry, disk, root),
    })),
  };
}

function missingFile({ references }: EntryFile, disk: Disk, root: string): string | undefined {
  const missing = references.find((path) => disk.stat(`${root}/${path}`)?.kind !== 'file');
  return missing && `${missing} is not there`;
}

/** Orders entries as the menu does (BLS §Sorting), those whose tries are used up last. */
function compareEntries(a: EntryFile, b: EntryFile): number {
  return (
    Number(isBad(a)) - Number(isBad(b)) ||
    Number(a.sortKey === undefined) - Number(b.sortKey === undefined) ||
    compareText(a.sortKey ?? '', b.sortKey ?? '') ||
    (a.sortKey === undefined ? 0 : compareVersions(b.version ?? '', a.version ?? '')) ||
    compareVersions(b.id, a.id)
  );
}

function isBad({ name }: EntryFile): boolean {
  return name?.counter?.triesLeft === 0;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
