/** The boot menu as systemd-boot will show it: entries, order, and what each entry is. Pure. */
import type { EntryFile } from '../esp/inventory.ts';
import type { BootCounter, EntryName, EspPath } from '../esp/layout.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { compareEntries, nextOf } from './menu-order.ts';
import type { EspView } from './view.ts';

/** The systems with which entries are compared. Real paths. */
export interface Systems {
  /** The running system, if it is known. */
  readonly booted: string | undefined;
  /** The pinned systems. */
  readonly pinned: readonly string[];
}

/** One line of the menu. Sizes in bytes. */
export interface MenuEntry {
  readonly id: string;
  readonly title: string | undefined;
  readonly version: string | undefined;
  readonly path: EspPath;
  /** What the entry's files take. A shared file counts for each entry. */
  readonly size: number;
  /** For an entry of ours: the number of its generation. */
  readonly generation: number | undefined;
  /** Its generation and specialisation, as `5` or `5-gaming`; undefined for an entry of others. */
  readonly name: string | undefined;
  /** Whether it has a name as ours have, and is another machine's; absent when it is not. */
  readonly neighbour?: true;
  /** Whether it boots when nobody chooses, as far as files tell. */
  readonly default: boolean;
  /** Whether it boots the running system. */
  readonly booted: boolean;
  /** Whether it boots a pinned system. */
  readonly pinned: boolean;
  /** Tries left, for an entry with a counter; the entry is bad at zero. */
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
    const bare = named.find((blob) => blob?.unsigned !== undefined);
    const broken = named.find((blob) => blob?.damage !== undefined);
    return {
      id: entry.id,
      title: entry.title,
      version: entry.version,
      path: entry.path,
      size: named.reduce((sum, blob) => sum + (blob?.size ?? 0), entry.size),
      generation: entry.name?.generation,
      name: entry.name && nameOf(entry.name),
      ...(entry.isNeighbour ? { neighbour: true as const } : {}),
      default: entry === first,
      booted: booted !== undefined && bootsSystem(entry.cmdline, booted),
      pinned: pinned.some((system) => bootsSystem(entry.cmdline, system)),
      counter: entry.counter,
      unsigned: entry.unsigned ?? (bare && `it names ${bare.path}: ${bare.unsigned}`),
      damage:
        entry.damage ??
        missingFile(entry, absent) ??
        (broken && `it names ${broken.path}, which is damaged`),
    };
  });
}

function nameOf({ generation, slug }: EntryName): string {
  return slug === undefined ? String(generation) : `${generation}-${slug}`;
}

function missingFile({ references }: EntryFile, absent: ReadonlySet<EspPath>): string | undefined {
  const missing = references.find((path) => absent.has(path));
  return missing && `${missing} is not there`;
}
