/** What is wrong on an ESP, as far as its own names and lists tell. Pure. */

import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES, ENTRIES_SREL, type EspPath, LOADER_CONF } from '../esp/layout.ts';
import { LAYOUT } from '../esp/layout-mark.ts';
import { namedNext, parseLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { exactSize } from '../quantity.ts';
import type { ExtraView } from './extras.ts';
import { damageOf } from './loader-settings.ts';
import { lacksOurs, loaderStatus, statusesOf } from './loader-status.ts';
import { menuOf } from './menu.ts';
import { goneNext, hasOurName } from './menu-order.ts';
import { startedPrevious } from './running-loader.ts';
import { entriesNotFound, notReached, refusals, startedElsewhere } from './startable.ts';
import type { EspView } from './view.ts';

/** One finding. */
export interface Finding {
  readonly path: EspPath;
  readonly problem: string;
  /** Whether the machine may not start because of it, or may start the wrong system. */
  readonly fatal: boolean;
}

/** Returns the findings: loaders first, then entries and their files, then extra files. */
export function findingsOf(view: EspView): readonly Finding[] {
  return [...firmwareFindings(view), ...fileFindings(view)];
}

/** Returns what is wrong with files. */
export function fileFindings(view: EspView): readonly Finding[] {
  return [
    ...loaderFindings(view),
    ...entryFindings(view),
    ...settingsFindings(view),
    ...leftovers(view),
    ...(view.inventory.manifests ?? []).flatMap(({ path, damage }) =>
      damage === undefined ? [] : [{ path, problem: damage, fatal: false }],
    ),
    ...view.extras.flatMap(extraFinding),
  ];
}

/** Returns what firmware says against what is here: then none of it starts, or another partition's does. */
export function firmwareFindings(view: EspView): readonly Finding[] {
  const [loader] = view.loaders;
  if (loader === undefined) return [];
  const { path } = loader;
  return [
    ...[...refusals(view.firmware), ...entriesNotFound(view)].map((problem) => ({
      ...{ path, problem },
      fatal: true,
    })),
    ...[...startedElsewhere(view), ...startedPrevious(view), ...notReached(view)].map(
      (problem) => ({
        path,
        problem,
        fatal: false,
      }),
    ),
  ];
}

/**
 * One copy that does not start needs a look; where no other one is ours, nothing of ours starts. Whether
 * firmware ever starts the previous loader is for its boot entries to say.
 */
function loaderFindings(view: EspView): readonly Finding[] {
  const copies = view.loaders.filter(({ place }) => place !== 'previous').map(loaderStatus);
  const fatal = copies.every(lacksOurs);
  return statusesOf(view.loaders).flatMap(({ path, problem }) =>
    problem === undefined ? [] : [{ path, problem, fatal }],
  );
}

function entryFindings(view: EspView): readonly Finding[] {
  const entries = menuOf(view, { booted: undefined, pinned: [] });
  if (entries.length === 0) {
    return [{ path: ENTRIES, problem: 'there is no boot entry', fatal: true }];
  }
  const enforces = view.firmware?.secureBoot === true;
  const decides = decisive(view.inventory);
  return [
    ...entries.flatMap(({ path, unsigned, own, default: isDefault }): Finding[] =>
      unsigned === undefined || !own
        ? []
        : [{ path, problem: unsigned, fatal: isDefault && enforces }],
    ),
    ...entries.flatMap(({ path, damage, own, generation, default: isDefault }): Finding[] =>
      damage === undefined || !(own || isDefault)
        ? []
        : [
            {
              path,
              problem: damage,
              fatal: isDefault || (generation !== undefined && generation === decides),
            },
          ],
    ),
    ...[...view.inventory.entries, ...view.inventory.blobs].flatMap(
      ({ path, unauthorised }): Finding[] =>
        unauthorised === undefined ? [] : [{ path, problem: unauthorised, fatal: false }],
    ),
    ...view.inventory.blobs.flatMap(({ path, damage }): Finding[] =>
      damage === undefined ? [] : [{ path, problem: damage, fatal: false }],
    ),
  ];
}

/**
 * Where loader.conf names no entry, the menu's order decides, and a damaged image tells nothing of where it
 * stands in it: the newest generation then counts as the one that boots next.
 */
function decisive({ entries, loaderConf }: Inventory): number | undefined {
  const pattern = namedNext(parseLoaderConf(new TextDecoder().decode(loaderConf)));
  if (pattern && entries.some(({ id }) => matchesPattern(pattern, id))) return undefined;
  return Math.max(...entries.map(({ name }) => name?.generation ?? 0));
}

/** The two files with fixed names that tell a loader what to show; one of another loader is none of our concern. */
function settingsFindings({ inventory }: EspView): readonly Finding[] {
  if (!inventory.entries.some(({ name }) => name !== undefined)) return [];
  // What stands in their place is told among the leftovers.
  const taken = new Set(inventory.subdirectories?.map((path) => path.toLowerCase()));
  return [...loaderConfFindings(inventory), ...layoutFindings(inventory)].filter(
    ({ path }) => !taken.has(path.toLowerCase()),
  );
}

function loaderConfFindings(inventory: Inventory): readonly Finding[] {
  const { loaderConf } = inventory;
  const finding = (problem: string, fatal = false) => [{ path: LOADER_CONF, problem, fatal }];
  if (loaderConf === undefined) return finding('it is not there, or too large to be one');
  const damage = damageOf(inventory);
  if (damage) return finding(damage.because);
  const gone = goneNext(inventory);
  return gone ? finding(`it names ${gone} to boot next, which is not there`, true) : [];
}

function layoutFindings({ layout, layoutDamage }: Inventory): readonly Finding[] {
  if (layout === LAYOUT) return [];
  const foreign = layout && `it says ${layout}, not ${LAYOUT}: another boot loader lays this out`;
  return [
    {
      path: ENTRIES_SREL,
      problem: foreign ?? layoutDamage ?? 'it is not there, or empty',
      fatal: false,
    },
  ];
}

function leftovers({ inventory }: EspView): readonly Finding[] {
  const { temporaries, subdirectories = [] } = inventory;
  const left = temporaries.map(({ path, twin }) => ({
    path,
    problem: twin ? `it shares its clusters with ${twin}: run fsck.fat -a` : 'a killed run left it',
    fatal: false,
  }));
  const taken = subdirectories.filter(hasOurName).map((path) => ({
    path,
    problem: 'it is a directory, and a file of ours should be here: move it away',
    fatal: false,
  }));
  return [...left, ...taken];
}

/** Returns what is wrong with a file that our lists name. */
function extraFinding({ records, found }: ExtraView): readonly Finding[] {
  const path = records[0]?.path;
  const problem = path && extraProblem(records, found);
  return problem ? [{ path, problem, fatal: false }] : [];
}

function extraProblem(
  records: ExtraView['records'],
  found: ExtraView['found'],
): string | undefined {
  if (found.kind !== 'file') return 'it is not there';
  const fitting = records.filter(({ size }) => size === found.size);
  if (fitting.length === 0) {
    const expected = records.map(({ size }) => exactSize(size)).join(' or ');
    return `it has ${exactSize(found.size)}, expected ${expected}`;
  }
  if (found.unreadable !== undefined) return found.unreadable;
  if (found.digest === undefined) return undefined;
  const isWhole = fitting.some(({ digest }) => digest === found.digest);
  return isWhole ? undefined : 'its content is not what we wrote';
}
