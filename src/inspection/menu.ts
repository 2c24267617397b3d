/** The boot menu as systemd-boot will show it: which entries, in which order, and what each is. */

import type { Disk } from '../disk/disk.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import type { BootCounter, EspPath } from '../esp/layout.ts';
import { findGenerationLinks } from '../generation/profile.ts';
import { compareEntries, nextOf } from '../plan/menu-order.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from '../survey/booted.ts';
import { pinsDirectory } from '../survey/pins.ts';
import { bootsSystem } from '../uki/cmdline.ts';

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
      booted: booted !== undefined && bootsSystem(entry.cmdline, booted),
      pinned: pinned.some((system) => bootsSystem(entry.cmdline, system)),
      counter: entry.counter,
      damage:
        entry.damage ??
        missingFile(entry, disk, root) ??
        (broken && `it names ${broken.path}, which is damaged`),
    };
  });
}

function missingFile({ references }: EntryFile, disk: Disk, root: string): string | undefined {
  const missing = references.find((path) => disk.stat(`${root}/${path}`)?.kind !== 'file');
  return missing && `${missing} is not there`;
}
