/** The boot menu as systemd-boot will show it: which entries, in which order, and what each is. Pure. */
import type { EntryFile } from '../esp/inventory.ts';
import type { BootCounter, EspPath } from '../esp/layout.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { compareEntries, nextOf } from './menu-order.ts';
import type { EspView } from './view.ts';

/** The systems that entries are held against. Real paths. */
export interface Systems {
  /** The one that runs, where that is known. */
  readonly booted: string | undefined;
  /** Those that a person asked to keep. */
  readonly pinned: readonly string[];
}

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
  /** Why firmware would refuse it under Secure Boot, as far as headers tell. */
  readonly unsigned: string | undefined;
}

/** Returns the menu of an ESP. */
export function menuOf(
  { inventory, absent }: Pick<EspView, 'inventory' | 'absent'>,
  { booted, pinned }: Systems,
): readonly MenuEntry[] {
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
      unsigned: entry.unsigned ?? named.find((blob) => blob?.unsigned !== undefined)?.unsigned,
      damage:
        entry.damage ??
        missingFile(entry, absent) ??
        (broken && `it names ${broken.path}, which is damaged`),
    };
  });
}

function missingFile({ references }: EntryFile, absent: ReadonlySet<EspPath>): string | undefined {
  const missing = references.find((path) => absent.has(path));
  return missing && `${missing} is not there`;
}
