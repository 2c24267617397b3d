/** What is wrong with the extra files of an ESP, as far as the lists tell that are there. */

import type { Context } from '../context.ts';
import { digestIn } from '../disk/digest-in.ts';
import { EspError, explain } from '../error.ts';
import type { ExtraRecord } from '../esp/extra-manifest.ts';
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { keyOf } from '../plan/present.ts';

/** A file that is not what a list says of it. */
export interface ExtraFinding {
  readonly path: EspPath;
  readonly problem: string;
}

/** Returns the lists that are damaged, and the files that are not what any list says of them. */
export function extraFindings(
  root: string,
  { manifests = [] }: Inventory,
  { disk }: Context,
  deep: boolean,
): readonly ExtraFinding[] {
  const records = manifests.flatMap((manifest) => manifest.records ?? []);
  const listed = Map.groupBy(records, ({ path }) => keyOf(path));
  return [
    ...manifests.map(({ path, damage }) => ({ path, problem: damage })),
    ...[...listed.values()].map((same) => ({
      path: same[0]?.path,
      problem: problemOf(root, same, disk, deep),
    })),
  ].flatMap(({ path, problem }) => (path && problem ? [{ path, problem }] : []));
}

/** Says what is wrong with a file of which lists say that it is one of these. */
function problemOf(
  root: string,
  same: readonly ExtraRecord[],
  disk: Context['disk'],
  deep: boolean,
): string | undefined {
  const path = `${root}/${same[0]?.path}`;
  const stat = disk.linkStat(path);
  if (stat?.kind !== 'file') return 'it is not there';
  const fitting = same.filter(({ size }) => size === stat.size);
  if (fitting.length === 0) {
    return `it has ${stat.size} bytes, expected ${same.map(({ size }) => size).join(' or ')}`;
  }
  if (!deep) return undefined;
  try {
    const found = digestIn(path, disk);
    const isWhole = fitting.some(({ digest }) => digest === found);
    return isWhole ? undefined : 'its content is not what we wrote';
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return explain(error);
  }
}
