/** Finds the files that a removal must spare besides wanted ones. Pure. */

import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { keyOf, type OwnFile, type OwnFiles } from './present.ts';

/** Why entries stay although no wanted generation has them. */
export interface Roots {
  /** Numbers of generations that cannot be read. */
  readonly broken: ReadonlySet<number>;
  /** Toplevel of the running system, when no wanted generation boots it. */
  readonly booted: string | undefined;
  /** ID of the entry that was selected at the last boot. */
  readonly selected: string | undefined;
  /** ID of the entry whose boot is not yet known to have succeeded. */
  readonly counted?: string | undefined;
  /** ID of the entry that boots next, when that must not change. */
  readonly next?: string | undefined;
}

/**
 * Returns the keys of our files that stay: protected entries, and all files that any entry names.
 */
export function protectedKeys(
  { broken, booted, selected, counted, next }: Roots,
  inventory: Inventory,
  own: OwnFiles,
): ReadonlySet<string> {
  const isNamed = ({ path }: OwnFile, id: string | undefined) =>
    id !== undefined && keyOf(path).endsWith(`/${id.toLowerCase()}`);
  const doubled = new Set(underTwoCounters(inventory).map((path) => own.get(keyOf(path))));
  const isRoot = (file: OwnFile) =>
    file.role === 'entry' &&
    (broken.has(file.generation) ||
      doubled.has(file) ||
      (booted !== undefined && bootsSystem(file.cmdline, booted)) ||
      isNamed(file, selected) ||
      isNamed(file, counted) ||
      isNamed(file, next));
  const roots = [...own.values()].filter(isRoot);
  const foreign = inventory.entries.filter(
    ({ name, adopted, path }) =>
      name === undefined && adopted === undefined && !own.has(keyOf(path)),
  );
  return new Set([
    ...sharedWithTemporary(inventory).map(keyOf),
    ...roots.map(({ path }) => keyOf(path)),
    ...[...roots, ...foreign].flatMap(({ references }) => references.map(keyOf)),
  ]);
}

/**
 * Returns our entries that exist under more than one counter. Power lost during a rename may have
 * left both names with the same clusters, so neither may be changed.
 */
export function underTwoCounters({ entries }: Inventory): EspPath[] {
  const own = entries.filter(({ name }) => name !== undefined);
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { path } of own) {
    const key = keyOf(path);
    (seen.has(key) ? repeated : seen).add(key);
  }
  if (repeated.size === 0) return [];
  return own.map(({ path }) => path).filter((path) => repeated.has(keyOf(path)));
}

/** Returns files that share clusters with their temporary file. None of them may be changed. */
export function sharedWithTemporary({ temporaries }: Inventory): EspPath[] {
  return temporaries.flatMap(({ twin }) => (twin === undefined ? [] : [twin]));
}
