/** How the partitions of a target stand as file systems: who may read them, and whether they are in order. */
import type { Context } from '../context.ts';
import { openBytes } from '../disk/raw-file.ts';
import { EspError } from '../error.ts';
import { disorder, exposure, fatCondition } from '../esp/condition.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import { mountAt } from '../esp/mount.ts';
import type { Target } from '../esp/target.ts';
import type { Finding } from '../plan/findings.ts';
import type { EspView } from '../plan/view.ts';

/** Where a whole partition is meant, and no file on it. */
const TOP = espPath('.');
/** What bootctl keeps for the random numbers of every start. */
const RANDOM_SEED = espPath('loader/random-seed');

/**
 * Looks at every partition of a target. What this user may not read is passed over.
 * @param hasSecrets whether programs of generations append secrets to the initrds of this machine
 */
export function conditionFindings(
  { root, xbootldr, tree }: Target,
  view: EspView,
  hasSecrets: boolean,
  context: Context,
): readonly Finding[] {
  const volumes = xbootldr === undefined ? [root] : [root, xbootldr];
  const problems = [
    exposure(root, secretsOn(view, hasSecrets), tree),
    ...volumes.map((volume) => disorderOf(volume, context)),
  ];
  return problems.flatMap((problem) =>
    problem === undefined ? [] : [{ path: TOP, problem, fatal: false }],
  );
}

function secretsOn({ inventory }: EspView, hasSecrets: boolean): readonly EspPath[] {
  const { companions = [], entries, blobs } = inventory;
  const images = entries.filter(({ name, sections }) => name && sections);
  const initrds = blobs.filter(({ path }) => /\/initrd-/.test(path));
  return [
    RANDOM_SEED,
    ...companions.filter(({ kind }) => kind === 'credential').map(({ path }) => path),
    ...(hasSecrets ? [...images, ...initrds].map(({ path }) => path) : []),
  ];
}

function disorderOf(root: string, context: Context): string | undefined {
  const mount = mountAt(context.disk, root);
  if (mount?.type !== 'vfat') return undefined;
  try {
    using source = openBytes(mount.source, context);
    const condition = fatCondition(source, !mount.readOnly);
    return condition && disorder(root, mount.source, condition);
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
