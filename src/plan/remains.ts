/**
 * Removes our files where none belong any more, because entries are on another partition now. Pure.
 */
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import { directoryOf, espPath, fileName } from '../esp/layout.ts';
import { keyOf, type OwnFile, ownFiles } from './present.ts';
import { protectedKeys, type Roots, sharedWithTemporary, underTwoCounters } from './roots.ts';
import { sweepable } from './schedule.ts';
import type { Scope } from './scope.ts';
import { type Phase, type PhaseName, type Plan, removal, type Step } from './step.ts';
import {
  type FileRole,
  idOf,
  mapEntries,
  movedTo,
  type WantedEntry,
  type WantedGeneration,
} from './wanted.ts';

/** A partition that had entries of ours, and what their new partition will hold. */
export interface Remains {
  readonly inventory: Inventory;
  /** The plan of the new partition, which runs first. */
  readonly plan: Plan;
  /** ID of the entry that boots next. It must exist on the new partition. */
  readonly default: string;
  readonly generations: readonly WantedGeneration[];
  readonly roots: Roots;
  readonly scope: Scope;
}

/**
 * Returns the removals. A protected entry stays unless the new partition has it too. A file that a
 * foreign entry names stays. A collection writes nothing, so it keeps what the new partition still
 * lacks.
 */
export function planRemoval(remains: Remains): readonly Phase[] {
  const { inventory, plan, generations, roots, scope } = remains;
  const installed = new Set(plan.entries.map((id) => id.toLowerCase()));
  if (scope === 'repair' || !installed.has(remains.default.toLowerCase())) return [];
  const doubled = new Set(underTwoCounters(inventory));
  const isInstalled = ({ id, path }: EntryFile) =>
    installed.has(id.toLowerCase()) && !doubled.has(path);
  const alone = { ...inventory, entries: inventory.entries.filter((file) => !isInstalled(file)) };
  const kept = protectedKeys(roots, alone, ownFiles(alone));
  const awaited = new Set(
    scope === 'gc' ? idsOf(generations).filter((id) => !installed.has(id)) : [],
  );
  const own = [...ownFiles(inventory).values()];
  const stays = (file: OwnFile) =>
    kept.has(keyOf(file.path)) || awaited.has(idOf(file.path).toLowerCase());
  const staying = own.filter((file) => file.role === 'entry' && stays(file));
  const named = new Set(staying.flatMap(({ references }) => references.map(keyOf)));
  const shared = new Set(sharedWithTemporary(inventory));
  const removals = (...roles: readonly FileRole[]) =>
    own
      .filter((file) => roles.includes(file.role) && !shared.has(file.path))
      .filter((file) => !stays(file) && !named.has(keyOf(file.path)))
      .map((file) => removal(file, REASON[file.role]));
  // A collection does not write extra files there, so it does not remove them here.
  const extras = (...roles: readonly FileRole[]) => (scope === 'gc' ? [] : removals(...roles));
  const phases: readonly [PhaseName, readonly Step[]][] = [
    ['sweep', sweepable(inventory).map((file) => removal(file, 'a killed run left it'))],
    ['remove-entries', [...removals('entry'), ...extras('extra-entry')]],
    ['remove-blobs', [...removals('blob'), ...extras('extra-file')]],
    ['remove-lists', extras('manifest')],
  ];
  return phases.flatMap(([name, steps]) => (steps.length > 0 ? [{ name, steps }] : []));
}

const REASON = {
  entry: 'entries are on another partition now',
  blob: 'no entry on this partition names it',
  'extra-entry': 'extra files are on another partition now',
  'extra-file': 'extra files are on another partition now',
  manifest: 'extra files are on another partition now',
} as const satisfies Record<FileRole, string>;

/** Returns the IDs of the entries of generations, in lower case. */
function idsOf(generations: readonly WantedGeneration[]): string[] {
  return generations.flatMap(({ entries }) => entries.map(({ id }) => id.toLowerCase()));
}

/** Returns generations whose entries take over the boot counters of their old partition. */
export function withCounters(
  generations: readonly WantedGeneration[],
  elsewhere: readonly EntryFile[],
): readonly WantedGeneration[] {
  const found = new Map(elsewhere.map(({ id, path }) => [id.toLowerCase(), path]));
  const counted = (entry: WantedEntry): WantedEntry => {
    const at = found.get(entry.id.toLowerCase());
    if (at === undefined) return entry;
    const path = espPath(directoryOf(entry.file.path), fileName(at));
    return movedTo(entry, path);
  };
  return mapEntries(generations, counted);
}
