/** What a person is told of an ESP beside the plan: every warning of a decision, in its order. Pure. */

import { explain } from '../error.ts';
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import type { Salvage } from '../loader/loader-conf.ts';
import { counted as countOf, enumerated } from '../quantity.ts';
import type { Extras } from './extras.ts';
import { describeDamage, describeEnrolment, describeLost } from './loader-settings.ts';
import type { Loaders } from './loaders.ts';
import { hasOurName } from './menu-order.ts';
import { lackingFiles } from './next-boot.ts';
import { type Menu, overrides } from './overrides.ts';
import { sharedWithTemporary, underTwoCounters } from './roots.ts';
import type { Scope } from './scope.ts';
import { notReached, startedElsewhere } from './startable.ts';
import type { Plan, Refusal } from './step.ts';
import type { EspView } from './view.ts';
import { entriesOf, filesOf, generationName } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

/** What a decision knows when its warnings are told. */
export interface Told {
  readonly planned: Plan | Refusal;
  /** What the boot loader will show. */
  readonly menu: Menu;
  readonly loaders: Loaders;
  /** Notes about an entry with a boot counter. */
  readonly counted: readonly string[];
  readonly extras: Extras;
  readonly settings: Salvage;
  readonly scope: Scope;
}

/** Returns the warnings of a decision. */
export function warningsOf(
  wanted: WantedSystem,
  view: EspView,
  { planned, menu, loaders, counted, settings, extras, scope }: Told,
): string[] {
  const { inventory, absent, firmware } = view;
  return [
    ...wanted.quarantined.map(describeBroken),
    ...loaders.warnings,
    ...sharedWithTemporary(inventory).map(describeTwin),
    ...underTwoCounters(inventory).map(describeDouble),
    ...counted,
    ...(scope === 'gc' ? [] : [...describeDamage(inventory), ...describeTaken(inventory)]),
    ...describeLost(settings.lost),
    ...describeEnrolment(wanted, settings),
    ...describeUnread(inventory),
    ...describeNeighbours(inventory, wanted.settings['entry-token']),
    ...extras.warnings,
    ...lackingExtras(wanted, extras, absent),
    ...lackingFiles(wanted, absent).map(
      ({ id, path }) => `${id} does not boot: ${path} is not on the ESP`,
    ),
    ...(scope === 'repair' ? describeUnmended(planned, wanted, inventory) : []),
    ...overrides(firmware, wanted.default, menu, wanted.settings['clear-overrides']),
    ...startedElsewhere(view),
    ...(wanted.settings['efi-entry'] ? [] : notReached(view)),
  ];
}

/** What a declared entry names may come with it, or with a generation. */
function lackingExtras(
  wanted: WantedSystem,
  { entries, wanted: coming }: Extras,
  absent: ReadonlySet<EspPath>,
): string[] {
  const files = [...coming, ...entriesOf(wanted).flatMap(filesOf)];
  const written = new Set(files.map(({ path }) => path.toLowerCase()));
  return entries.flatMap(({ path, others }) =>
    others
      .filter((other) => absent.has(other) && !written.has(other.toLowerCase()))
      .map((other) => `${path} does not boot: ${other} is not on the ESP`),
  );
}

/** Returns the warning about a broken generation. */
function describeBroken({ profile, number, cause }: WantedSystem['quarantined'][number]): string {
  return `generation ${generationName({ profile, number })} is broken and left as it is: ${explain(cause)}`;
}

/**
 * A generation that `install` leaves out for lack of space is normal. One that a repair leaves is
 * damaged.
 */
function describeUnmended(
  planned: Plan | Refusal,
  { wishes, leftOut }: WantedSystem,
  { entries }: Inventory,
): string[] {
  if ('kind' in planned) return [];
  const listed = new Set(entries.map(({ id }) => id));
  const isListed = (name: string) =>
    wishes.some((wish) => wish.name === name && wish.entries.some(({ id }) => listed.has(id)));
  return planned.leftOut
    .filter((left) => !leftOut.includes(left) && isListed(left.generation))
    .map(({ generation, because }) => `generation ${generation} is not mended: ${because}`);
}

function describeTwin(path: EspPath): string {
  return `${path} shares its clusters with a temporary file since power was lost while it was renamed; both are left alone until fsck.fat -a has mended the ESP`;
}

function describeDouble(path: EspPath): string {
  return `${path} is there under another boot counter too, and is left alone: run fsck.fat -a on the ESP, then remove one of them`;
}

function describeTaken({ subdirectories = [] }: Inventory): string[] {
  return subdirectories
    .filter(hasOurName)
    .map((path) => `${path} is a directory, and a file of ours should be there: move it away`);
}

/** How many of them are named. */
const NAMED = 3;

function describeNeighbours({ entries }: Inventory, token: string): string[] {
  const ids = entries.filter(({ isNeighbour }) => isNeighbour).map(({ id }) => id);
  if (ids.length === 0) return [];
  return [
    `${enumerated(ids, NAMED)} lead to systems that neither this store nor these profiles know: they are kept as another machine's. Give each machine on this ESP a name of its own with --entry-token (here it is ${token}); if they are old entries of this machine, remove them with \`espalier install --take-over\``,
  ];
}

function describeUnread({ unread = 0 }: Inventory): string[] {
  if (unread === 0) return [];
  return [
    `${countOf(unread, 'entry of others is', 'entries of others are')} not read, there are too many: what only they name is not kept`,
  ];
}
