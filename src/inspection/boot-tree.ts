/**
 * Reads what the loader finds on all partitions: the tree that we keep in line, and files
 * elsewhere.
 */

import type { Disk } from '../disk/disk.ts';
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { type EspPath, volumesOf } from '../esp/layout.ts';
import type { OtherVolume, Target } from '../esp/target.ts';

/** A partition that should hold no entries of ours, and its inventory. */
export interface Elsewhere extends OtherVolume {
  readonly inventory: Inventory;
}

export interface BootTree {
  /**
   * The tree's inventory. Entries of other partitions count as foreign here: the menu shows them
   * all.
   */
  readonly inventory: Inventory;
  readonly elsewhere: readonly Elsewhere[];
}

/** Reads the inventory of a partition or tree. */
type Scan = (disk: Disk, root: string) => Inventory;

/** Reads the tree of a target, and the partitions besides it. Throws as `scan` does. */
export function scanBootTree(target: Target, scan: Scan): BootTree {
  const { root, xbootldr, tree, disk, others } = target;
  const inventory = scan(tree, root);
  if (xbootldr === undefined && others.length === 0) return { inventory, elsewhere: [] };
  const elsewhere = others.map((other): Elsewhere => {
    const found = scan(disk, other.root);
    return { ...other, inventory: other.root === root ? withoutTree(found) : found };
  });
  const ownTwins = elsewhere
    .filter((other) => other.root === root)
    .flatMap(({ inventory: { temporaries } }) => temporaries)
    .filter(({ twin }) => twin !== undefined && volumesOf(twin).includes('esp'));
  const [esp, space] = [root, xbootldr ?? root].map((path) => disk.fileSystem(path));
  return {
    inventory: {
      ...inventory,
      ...(xbootldr !== undefined && esp && space && { ...space, espSpace: esp }),
      entries: withForeign(inventory.entries, elsewhere),
      // An unfinished file in `loader` of the ESP may be a loader.conf whose rename was cut off.
      temporaries: [...inventory.temporaries, ...(xbootldr === undefined ? [] : ownTwins)],
    },
    elsewhere,
  };
}

/** Leaves out the files that the tree shows already. */
function withoutTree(inventory: Inventory): Inventory {
  const isElsewhere = ({ path }: { readonly path: EspPath }) => !volumesOf(path).includes('esp');
  const { temporaries, manifests = [] } = inventory;
  return {
    ...inventory,
    temporaries: temporaries.filter(isElsewhere),
    manifests: manifests.map(({ records, ...manifest }) => ({
      ...manifest,
      records: records?.filter(isElsewhere),
    })),
  };
}

function withForeign(
  entries: readonly EntryFile[],
  elsewhere: readonly Elsewhere[],
): readonly EntryFile[] {
  const known = new Set(entries.map(({ id }) => id.toLowerCase()));
  const others = elsewhere
    .flatMap(({ inventory }) => inventory.entries)
    .filter(({ id }) => !known.has(id.toLowerCase()))
    // The files that they name lie on their own partition.
    .map(({ name: _ours, adopted: _taken, ...entry }) => ({ ...entry, references: [] }));
  return [...entries, ...others];
}
