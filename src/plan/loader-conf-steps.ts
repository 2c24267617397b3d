/** Plans the steps for loader.conf and for the mark of the layout. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, type EspPath, KEPT_SETTINGS, LOADER_CONF } from '../esp/layout.ts';
import { LAYOUT_MARK } from '../esp/layout-mark.ts';
import { formatKept, isSector, parseKept } from '../loader/loader-conf.ts';
import { damageOf } from './loader-settings.ts';
import { goneNext } from './menu-order.ts';
import type { PlanInput } from './plan-input.ts';
import { type PhaseName, removal, type Step } from './step.ts';

/**
 * Returns the steps for loader.conf and the layout mark that a verb may carry out. A repair writes
 * loader.conf only if it is missing or wrong and the entry that boots next exists. A collection writes none.
 */
export function defaultsWithin(
  { scope, inventory, loaderConf, default: id }: PlanInput,
  keys: readonly string[],
): Step[] {
  const isThere = keys.some((key) => key.endsWith(`/${id.toLowerCase()}`));
  const steps = [
    ...layoutMark(inventory),
    ...(scope === 'all' || isThere ? defaultSteps(inventory, loaderConf) : []),
  ];
  return scope === 'all'
    ? steps
    : steps.filter(({ kind }) => scope === 'repair' && (kind === 'write' || isWrong(inventory)));
}

function isWrong(inventory: Inventory): boolean {
  return damageOf(inventory) !== undefined || goneNext(inventory) !== undefined;
}

/**
 * While a foreign loader.conf is replaced, its name may lead to a part of it and its settings would
 * be lost. Until that is over, a file beside it keeps them.
 */
export function defaultPhases(
  { scope, inventory: { keptSettings }, loaderConf }: PlanInput,
  steps: readonly Step[],
): [PhaseName, readonly Step[]][] {
  const isReplaced = steps.some(({ kind }) => kind === 'replace');
  const isKept = keptSettings !== undefined && parseKept(keptSettings) === loaderConf;
  const kept = formatKept(loaderConf);
  const keep = textStep('write', KEPT_SETTINGS, kept, 'loader.conf is about to be replaced');
  const size = keptSettings?.length ?? keep.size;
  const isLeft = keptSettings !== undefined && scope === 'all';
  return [
    ['default', isReplaced && !isKept ? [keep] : []],
    ['default', steps],
    [
      'default',
      isReplaced || isLeft
        ? [removal({ path: KEPT_SETTINGS, size }, 'loader.conf has these settings now')]
        : [],
    ],
  ];
}

/** BLS §Locations: the file that marks an ESP as one with Type #1 entries. */
function layoutMark({ layout, layoutDamage, subdirectories = [] }: Inventory): Step[] {
  const isTaken = subdirectories.some((path) => path.toLowerCase() === ENTRIES_SREL);
  // No boot loader reads it, so a directory in its place is told, and keeps nothing from being installed.
  if (layout !== undefined || isTaken) return [];
  const because = layoutDamage === undefined ? 'it is not there' : `it is damaged: ${layoutDamage}`;
  return [textStep('write', ENTRIES_SREL, LAYOUT_MARK, because)];
}

/**
 * loader.conf has a fixed name, so it stays at one sector and is overwritten in place: a sector is
 * written as a whole or not at all. A file of another size is replaced once.
 */
function defaultSteps(inventory: Inventory, wanted: string): Step[] {
  const { loaderConf } = inventory;
  if (loaderConf === undefined) return [textStep('write', LOADER_CONF, wanted, 'it is not there')];
  if (new TextDecoder().decode(loaderConf) === wanted) return [];
  const damage = damageOf(inventory);
  const because = damage && `it is damaged: ${damage.because}`;
  const size = `it has ${loaderConf.length} bytes, not one sector`;
  const change = 'another entry boots next, or a setting changed';
  return isSector(loaderConf)
    ? [textStep('overwrite', LOADER_CONF, wanted, because ?? change)]
    : [textStep('replace', LOADER_CONF, wanted, because ?? size)];
}

function textStep(
  kind: 'write' | 'replace' | 'overwrite',
  path: EspPath,
  text: string,
  because: string,
): Step {
  return {
    kind,
    path,
    size: new TextEncoder().encode(text).length,
    content: { kind: 'text', text },
    because,
  };
}
