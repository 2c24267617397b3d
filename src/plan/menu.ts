/** The boot menu as systemd-boot will show it: entries, order, and what each entry is. Pure. */
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import type { BootCounter, EntryName, EspPath } from '../esp/layout.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { companionsOf } from './companions.ts';
import { compareEntries, nextOf } from './menu-order.ts';
import { keyOf } from './present.ts';
import { blobsByPath, refusalOf } from './refused.ts';
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
  /** What its removal frees: its own file, and those that no other entry names. */
  readonly frees: number;
  /** IDs of the other entries that boot from the same image; absent when it is an entry's own. */
  readonly sharesWith?: readonly string[];
  /** What the stub of its image adds to it; absent when there is nothing. */
  readonly companions?: readonly EspPath[];
  /** For an entry of ours: the number of its generation. */
  readonly generation: number | undefined;
  /** Its generation and specialisation, as `5` or `5-gaming`; undefined for an entry of others. */
  readonly name: string | undefined;
  /** Whether this program keeps it: of a generation, or declared in the settings. */
  readonly own: boolean;
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

/** Whether it is damaged, or ours without the signature that firmware asks for. */
export function isWanting({ damage, unsigned, own }: MenuEntry): boolean {
  return own && (damage ?? unsigned) !== undefined;
}

/** Returns the menu of an ESP. */
export function menuOf(
  { inventory, absent, extras }: Pick<EspView, 'inventory' | 'absent' | 'extras'>,
  { booted, pinned }: Systems,
): readonly MenuEntry[] {
  const sorted = inventory.entries.toSorted(compareEntries);
  const first = nextOf(inventory, sorted);
  const blobs = blobsByPath(inventory);
  const declared = new Set(
    extras.filter(({ records }) => records.length > 0).map(({ path }) => keyOf(path)),
  );
  const namers = namersIn(sorted);
  const namersOf = (path: EspPath) => namers.get(path.toLowerCase()) ?? [];
  return sorted.map((entry) => {
    const named = entry.references.map((path) => blobs.get(path.toLowerCase()));
    const alone = named.filter((blob) => blob && namersOf(blob.path).length === 1);
    const sharers = imageOf(entry)
      .flatMap(namersOf)
      .filter((id) => id !== entry.id);
    const broken = named.find((blob) => blob?.damage !== undefined);
    const companions = companionsOf(entry, inventory.companions ?? []);
    return {
      id: entry.id,
      title: entry.title,
      version: entry.version,
      path: entry.path,
      size: named.reduce((sum, blob) => sum + (blob?.size ?? 0), entry.size),
      frees: alone.reduce((sum, blob) => sum + (blob?.size ?? 0), entry.size),
      ...(sharers.length > 0 ? { sharesWith: sharers } : {}),
      ...(companions.length > 0 ? { companions } : {}),
      generation: entry.name?.generation,
      name: entry.name && nameOf(entry.name),
      own: entry.name !== undefined || declared.has(keyOf(entry.path)),
      ...(entry.isNeighbour ? { neighbour: true as const } : {}),
      default: entry === first,
      booted: booted !== undefined && bootsSystem(entry.cmdline, booted),
      pinned: pinned.some((system) => bootsSystem(entry.cmdline, system)),
      counter: entry.counter,
      unsigned: refusalOf(entry, blobs),
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

/** Returns the IDs of the entries that name a file, by its path in lower case. */
function namersIn(entries: readonly EntryFile[]): ReadonlyMap<string, readonly string[]> {
  const namers = new Map<string, string[]>();
  for (const { id, references } of entries) {
    for (const path of new Set(references.map((each) => each.toLowerCase()))) {
      const ids = namers.get(path) ?? [];
      ids.push(id);
      namers.set(path, ids);
    }
  }
  return namers;
}

/** The image of which an entry boots a part; none for an entry that boots something of its own. */
function imageOf({ pointer }: EntryFile): readonly EspPath[] {
  return pointer?.to ? [pointer.to.image] : [];
}

/** An image that entries share. Size in bytes. */
export interface SharedImage {
  readonly path: EspPath;
  readonly size: number;
  /** IDs of the entries that boot from it, in the order of the menu. It goes with the last of them. */
  readonly entries: readonly string[];
}

/** Returns the images that entries share: their room becomes free only when all these entries go. */
export function sharedImages({ blobs, entries }: Inventory): readonly SharedImage[] {
  const namers = namersIn(entries.toSorted(compareEntries));
  return blobs.flatMap(({ path, size, profiles }) => {
    const own = profiles ? (namers.get(path.toLowerCase()) ?? []) : [];
    return own.length > 0 ? [{ path, size, entries: own }] : [];
  });
}

function missingFile({ references }: EntryFile, absent: ReadonlySet<EspPath>): string | undefined {
  const missing = references.find((path) => absent.has(path));
  return missing && `${missing} is not there`;
}
