/** What a removal must spare besides what is wanted. Pure. */

import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { keyOf, type OwnFile, type OwnFiles } from './present.ts';

/** Why entries stay that no wanted generation asks for. */
export interface Roots {
  /** Numbers of generations that could not be read. */
  readonly broken: ReadonlySet<number>;
  /** The toplevel that is running now, where no wanted generation boots it. */
  readonly booted: string | undefined;
  /** The ID of the entry that was selected at the last boot. */
  readonly selected: string | undefined;
  /** The ID of the entry of which it is still to be told whether it came up. */
  readonly counted?: string | undefined;
  /** The ID of the entry that boots next, where that is to stay so. */
  readonly next?: string | undefined;
}

/** Returns the keys of files of ours that stay: protected entries, and whatever anyone's entry names. */
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
 * Entries of ours that are there under more than one counter: power lost in the middle of a rename may
 * have left both names with the same clusters, so nothing may be done to them either.
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

/** Files that share their clusters with the temporary file they were: nothing may be done to them. */
export function sharedWithTemporary({ temporaries }: Inventory): EspPath[] {
  return temporaries.flatMap(({ twin }) => (twin === undefined ? [] : [twin]));
}
