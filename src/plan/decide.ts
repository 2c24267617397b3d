/** Decides what is to be done to one ESP, from the system's wishes and the ESP's view. Pure. */
import { lastValue } from '../bls.ts';
import { EspError } from '../error.ts';
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, entryId, patternId } from '../esp/layout.ts';
import { LAYOUT } from '../esp/layout-mark.ts';
import { formatLoaderConf, namedNext, parseLoaderConf } from '../loader/loader-conf.ts';
import { type Removal, removalsFrom, withCountersFrom } from './elsewhere.ts';
import { decideExtras } from './extras.ts';
import { withKeptCounters } from './kept-counters.ts';
import { loaderDefault } from './loader-default.ts';
import { damageOf, loaderSettings } from './loader-settings.ts';
import { decideLoaders, type Loaders, withoutPrevious } from './loaders.ts';
import { goneNext, nextOf } from './menu-order.ts';
import { type NextBoot, nextBoot } from './next-boot.ts';
import { type Menu, menuAfter } from './overrides.ts';
import { plan } from './plan.ts';
import type { PlanInput } from './plan-input.ts';
import type { Roots } from './roots.ts';
import type { Scope } from './scope.ts';
import { type Joining, shareImages } from './sharing.ts';
import { sparedLast } from './spared.ts';
import { requireLoaderTaken, requireStartable } from './startable.ts';
import type { Plan, Refusal } from './step.ts';
import { type EspView, placeOn } from './view.ts';
import { entriesOf, filesOf, type WantedGeneration } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';
import { warningsOf } from './warnings.ts';

/** What is to be done to one ESP, and warnings. */
export interface Decision {
  readonly plan: Plan | Refusal;
  /** Removals from other partitions, which follow the plan. */
  readonly removals: readonly Removal[];
  /** ID of the entry that would boot next if the profiles alone decided. */
  readonly byProfiles: string;
  /** What the boot loader shows once the plan is carried out. */
  readonly menu: Menu;
  readonly warnings: readonly string[];
}

/**
 * A system whose `default` is decided, and whether a file of loader settings says what boots next.
 */
interface Settled {
  readonly wanted: WantedSystem;
  readonly byProfiles: string;
  readonly keepsDefault: boolean;
}

/**
 * Decides what is to be done to an ESP.
 * @throws {FOREIGN_LAYOUT} {SECURE_BOOT_UNSIGNED} {SECURE_BOOT_UNTRUSTED} {VERITY_ABSENT}
 * {CONFIG_INVALID} when nothing may be done
 */
export function decide(given: WantedSystem, seen: EspView, scope: Scope): Decision {
  requireType1(seen);
  requireStartable(given, seen, scope);
  const system = withoutTaken(given, seen);
  const extras = decideExtras(seen.extras, system.settings['entry-token']);
  const spared = sparedLast(seen, system);
  const view = { ...seen, inventory: { ...spared.inventory, extras: extras.own } };
  const { wanted, byProfiles, keepsDefault } = settle(system, view, scope);
  const { inventory } = view;
  requireLoaderPlace(view);
  const roots = rootsOf(wanted, view, scope);
  const { version } = wanted.loader;
  const { next, warnings: uncounted } = loaderDefault(wanted, inventory, roots, version);
  const settings = loaderSettings(wanted, inventory, next);
  const conf = formatLoaderConf(settings.kept, keepsDefault ? undefined : next);
  const loaderConf = new TextDecoder().decode(conf);
  const { reserve } = wanted.settings;
  const input = { inventory, roots, loaderConf, reserve, scope, extras };
  const { planned, loaders } = planLoaders(
    { ...wanted, ...input, lacksNext: lacksNext(inventory) },
    decideLoaders(wanted, view, scope),
  );
  requireLoaderTaken(loaders, wanted, view.firmware);
  requireFiles(planned, view);
  const left = removalsFrom(view.elsewhere, planned, wanted, { roots, scope });
  const named = (keepsDefault && lastValue(settings.kept, 'default')) || wanted.default;
  const counted = keepsDefault || scope !== 'all' ? [] : uncounted;
  const menu = menuAfter(planned, wanted, inventory);
  return {
    plan: 'kind' in planned ? planned : { ...planned, default: named },
    removals: left.removals,
    byProfiles,
    menu,
    warnings: [
      ...wanted.warnings,
      ...view.warnings,
      ...spared.warnings,
      ...left.warnings,
      ...warningsOf(wanted, view, { planned, menu, loaders, counted, settings, extras, scope }),
    ],
  };
}

/** Plans with the previous boot loader, unless a generation would lose its place to it. */
function planLoaders(
  input: Omit<PlanInput, 'loaders'>,
  loaders: Loaders,
): { readonly planned: Plan | Refusal; readonly loaders: Loaders } {
  const withLoaders = ({ copies, unused }: Loaders) =>
    planShared({ ...input, loaders: copies, unusedLoaders: unused });
  const lacking = (planned: Plan | Refusal) =>
    'kind' in planned ? Number.POSITIVE_INFINITY : planned.leftOut.length;
  const planned = withLoaders(loaders);
  const less = withoutPrevious(loaders);
  const isFull = lacking(planned) > input.leftOut.length;
  if (!isFull || less.copies.length === loaders.copies.length) return { planned, loaders };
  const without = withLoaders(less);
  return lacking(without) < lacking(planned)
    ? { planned: without, loaders: less }
    : { planned, loaders };
}

/**
 * Plans with as few images as possible. Where that does not fit, only those are made anew that
 * something joins.
 */
function planShared(input: PlanInput): Plan | Refusal {
  const { inventory, roots, scope } = input;
  const sharing = (joining: Joining) => plan(shareImages(input, inventory, roots, joining));
  if (scope !== 'all') return sharing('none');
  const planned = sharing('all');
  if (!('kind' in planned) && planned.leftOut.length === input.leftOut.length) return planned;
  const least = sharing('joined');
  if ('kind' in planned) return least;
  return 'kind' in least || least.leftOut.length >= planned.leftOut.length ? planned : least;
}

/** Decides what boots next. Entries from another partition take over their boot counters. */
function settle(system: WantedSystem, view: EspView, scope: Scope): Settled {
  const { settings } = system;
  const keepsDefault = settings['keep-default'] && settings['loader-conf'] !== undefined;
  const counted = withKeptCounters(system, view.inventory);
  const next = nextBoot(counted, view, keepsDefault || scope === 'gc');
  const settled = {
    ...system,
    default: (scope === 'repair' && stillNamed(next, view.inventory)) || next.id,
    musts: next.musts,
    wishes: next.wishes,
    warnings: [...system.warnings, ...next.warnings],
  };
  return {
    wanted: withCountersFrom(view.elsewhere, settled, view.inventory),
    byProfiles: next.byProfiles,
    keepsDefault,
  };
}

/** Tells whether entries of ours are there, and nothing says which of them boots next. */
function lacksNext(inventory: Inventory): boolean {
  const { loaderConf, entries } = inventory;
  const isSilent = loaderConf === undefined || damageOf(inventory) || goneNext(inventory);
  return isSilent ? entries.some(({ name }) => name !== undefined) : false;
}

/** A repair leaves alone what boots next, as long as a loader.conf in need of mending still names it. */
function stillNamed(next: NextBoot, inventory: Inventory): string | undefined {
  if (!lacksNext(inventory)) return undefined;
  const pattern = namedNext(parseLoaderConf(new TextDecoder().decode(inventory.loaderConf)));
  const id = pattern && patternId(pattern);
  return entriesOf(next).find((entry) => entry.id === id)?.id;
}

/** Another boot loader's layout is not ours to change. */
function requireType1(view: EspView): void {
  const { layout } = view.inventory;
  if (layout === undefined || layout === LAYOUT) return;
  throw new EspError(
    'FOREIGN_LAYOUT',
    `${placeOn(view, ENTRIES_SREL)}: expected ${LAYOUT}, got ${JSON.stringify(layout)}`,
    { hint: 'another boot loader lays out this ESP; remove the file if that is no longer so' },
  );
}

/**
 * A directory in the place of a file costs the generation that needs the file, and no other. What boots next
 * has to be there all the same.
 */
function withoutTaken(system: WantedSystem, view: EspView): WantedSystem {
  const taken = takenPaths(view);
  if (taken.size === 0) return system;
  const isFree = ({ entries }: WantedGeneration) =>
    entries.some(({ id }) => id === system.default) ||
    !entries.flatMap(filesOf).some(({ path }) => taken.has(path.toLowerCase()));
  return { ...system, musts: system.musts.filter(isFree), wishes: system.wishes.filter(isFree) };
}

function takenPaths({ inventory: { subdirectories = [] } }: EspView): ReadonlySet<string> {
  return new Set(subdirectories.map((path) => path.toLowerCase()));
}

/**
 * A rename replaces a link or device under our name. It cannot replace a directory, and we remove
 * none.
 */
function requireFiles(planned: Plan | Refusal, view: EspView): void {
  const taken = takenPaths(view);
  if ('kind' in planned || taken.size === 0) return;
  const steps = planned.phases.flatMap((phase) => phase.steps);
  const found = steps.find(({ path }) => taken.has(path.toLowerCase()));
  if (!found) return;
  throw directoryAt(placeOn(view, found.path));
}

function directoryAt(path: string): EspError {
  return new EspError('FOREIGN_LAYOUT', `${path}: expected a file, got a directory`, {
    hint: 'nothing was touched; move the directory away',
  });
}

/** One directory in the place of a boot loader costs a copy, and two of them the machine. */
function requireLoaderPlace(view: EspView): void {
  const [first] = view.loaders;
  const isTaken = view.loaders
    .filter(({ place }) => place !== 'previous')
    .every(({ installed }) => installed.kind === 'directory');
  if (first && isTaken) throw directoryAt(placeOn(view, first.path));
}

/** Returns what protects entries that nothing wants. */
function rootsOf(
  { quarantined, booted }: WantedSystem,
  { inventory, firmware }: EspView,
  scope: Scope,
): Roots {
  return {
    broken: new Set(quarantined.map(({ number }) => number)),
    booted,
    selected: withoutCounter(firmware?.variables.LoaderEntrySelected),
    counted: entryAt(firmware?.variables.LoaderBootCountPath),
    next: scope === 'gc' ? nextOf(inventory)?.id : undefined,
  };
}

/** systemd-boot 254 and older name an entry with the counter that its file had. */
function withoutCounter(name: string | undefined): string | undefined {
  return name && entryId(name);
}

/** The ID of the entry at a path as firmware writes one. */
function entryAt(path: string | undefined): string | undefined {
  return path && entryId(path.slice(path.lastIndexOf('\\') + 1));
}
