/** Entries of another machine that shares the ESP: they have names of our shapes, and are not ours to remove. */
import type { Disk } from '../disk/disk.ts';
import type { EntryFile, Inventory } from './inventory.ts';

/** What this machine knows of its own systems, each by the directory that holds its `init`. */
export interface OwnSystems {
  /** Systems of generations that are there now, and the one that runs. */
  readonly known: ReadonlySet<string>;
  /** IDs of the entries that this machine wants, in lower case. */
  readonly entries: ReadonlySet<string>;
  /** Systems that had an entry of this machine at an earlier run; undefined when nothing is remembered. */
  readonly remembered: ReadonlySet<string> | undefined;
  /** Numbers of generations that cannot be read: whose systems they are nobody can tell. */
  readonly broken: ReadonlySet<number>;
}

/**
 * Returns an inventory in which entries of another machine count as somebody else's. An entry is one
 * when it leads to a system that is no generation here, does not run here, is not in this store, and
 * was not ours at an earlier run. One that has the name of an entry that is wanted here is none, and neither
 * is one that is damaged, unless whole ones of another machine are there. Where nothing is remembered yet, the ESP decides as a whole: one
 * entry that leads to a system of this machine makes all of them ours, for they may be of generations
 * that were deleted.
 */
export function setNeighboursApart(
  inventory: Inventory,
  { known, entries, remembered, broken }: OwnSystems,
  disk: Disk,
): Inventory {
  const stores = new Set([...known].map(parentOf));
  const isHere = (system: string) =>
    known.has(system) || (stores.has(parentOf(system)) && disk.stat(system) !== undefined);
  const systems = new Map(
    inventory.entries.flatMap((entry) => {
      const system = entry.name && systemOf(entry.cmdline);
      return system === undefined ? [] : [[entry, { system, isHere: isHere(system) }] as const];
    }),
  );
  if (!remembered && [...systems.values()].some((found) => found.isHere)) return inventory;
  const isUnknown = (entry: EntryFile) => {
    const found = systems.get(entry);
    if (found?.isHere || (found && remembered?.has(found.system))) return false;
    if (entry.name === undefined || entries.has(entry.id.toLowerCase())) return false;
    return !broken.has(entry.name.generation);
  };
  // Damage may have hit the very text that tells where an entry leads. Where nobody else has entries it
  // is ours; beside another machine's it may be one of those, which their owner mends.
  const isShared = inventory.entries.some(
    (entry) => systems.has(entry) && entry.damage === undefined && isUnknown(entry),
  );
  const isNeighbour = (entry: EntryFile) =>
    isShared && isUnknown(entry) && (systems.has(entry) || entry.damage !== undefined);
  return {
    ...inventory,
    entries: inventory.entries.map((entry) => {
      if (!isNeighbour(entry)) return entry;
      const { name: _theirs, ...others } = entry;
      return { ...others, isNeighbour: true };
    }),
  };
}

/** The store that has a system. What lies elsewhere is of no store of this machine. */
function parentOf(system: string): string {
  return system.slice(0, system.lastIndexOf('/'));
}

/** Returns the systems that entries of this machine lead to. */
export function systemsOn({ entries }: Pick<Inventory, 'entries'>): readonly string[] {
  return entries.flatMap(({ name, cmdline }) => (name && systemOf(cmdline)) ?? []);
}

/**
 * The system that a command line names: the directory that holds its `init`, which is a store path for
 * every system of Nix, or that of an installed kernel.
 */
function systemOf(cmdline: string): string | undefined {
  return /(?:^| )(?:espalier\.system=(\/\S+)|init=(\/\S+)\/[^/\s]+)(?: |$)/
    .exec(cmdline)
    ?.slice(1)
    .find(Boolean);
}
