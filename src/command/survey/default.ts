/** Which entry boots next, when the one that should must not or need not. */
import { EspError } from '../../error.ts';
import type { Inventory } from '../../esp/inventory.ts';
import type { WantedEntry, WantedGeneration } from '../../plan/wanted.ts';
import type { Context } from '../context.ts';
import { isBad } from '../menu.ts';
import type { Trouble } from './root-hash-check.ts';
import type { Survey } from './survey.ts';

/** Makes a wanted entry the one that boots next, and its generation one that must be on the ESP. */
export function withDefault(surveyed: Survey, id: string): Survey {
  const { musts, wishes } = surveyed;
  const hasIt = ({ entries }: WantedGeneration) => entries.some((entry) => entry.id === id);
  if (musts.some(hasIt)) return { ...surveyed, default: id };
  const wish = wishes.find(hasIt);
  if (!wish) return surveyed;
  const others = wishes.filter((other) => other !== wish);
  return { ...surveyed, default: id, musts: [...musts, wish], wishes: others };
}

/**
 * Leaves out of what boots next an entry whose file systems are not here, for it would wait for them.
 * The running system takes its place, else the newest that can be reached. It is installed all the
 * same: what it waits for may come.
 * @throws {VERITY_ABSENT} when there is none to take its place, or --require-verity forbids it
 */
export async function withReachableDefault(surveyed: Survey, context: Context): Promise<Survey> {
  const { settings, musts, wishes } = surveyed;
  const entries = [...musts, ...wishes].flatMap((generation) => generation.entries);
  const protectedEntries = entries.filter(({ cmdline }) => /\b(?:root|usr)hash=/.test(cmdline));
  if (protectedEntries.length === 0) return surveyed;
  const { findTroubles } = await import('./root-hash-check.ts');
  const troubled = new Map<WantedEntry, readonly Trouble[]>();
  for (const entry of protectedEntries) {
    const troubles = await findTroubles(entry.cmdline, { settings, context, deep: false });
    if (troubles.length > 0) troubled.set(entry, troubles);
  }
  if (troubled.size === 0) return surveyed;
  const isUnreachable = (entry: WantedEntry) =>
    troubled.get(entry)?.some(({ isUnknown }) => !isUnknown) === true;
  const told = {
    ...surveyed,
    unreachable: new Set(entries.filter(isUnreachable).map(({ id }) => id)),
    warnings: [...surveyed.warnings, ...tell(troubled, (trouble) => !trouble.isUnknown)],
    notices: [...surveyed.notices, ...tell(troubled, (trouble) => trouble.isUnknown)],
  };
  const next = entries.find(({ id }) => id === surveyed.default);
  const [trouble] = (next && troubled.get(next)) ?? [];
  if (next === undefined || trouble === undefined) return told;
  if (settings['require-verity'])
    throw absent(
      next,
      trouble,
      'rebuild it with the partitions that are here, or do without --require-verity',
    );
  if (!isUnreachable(next)) return told;
  const other = standIn(surveyed, (entry) => !isUnreachable(entry));
  if (other === undefined)
    throw absent(
      next,
      trouble,
      'no other system could boot in its place; name the disk with --disk when it is not one of this machine',
    );
  const warning = `${next.id} is not made the one that boots next: it would wait for what is not here; ${other.id} is`;
  return withDefault({ ...told, warnings: [...told.warnings, warning] }, other.id);
}

/**
 * Leaves out of what boots next an entry that is bad: tried as often as it might be, without coming up
 * (BLS §Boot counting), or one for which a file is not there that others have to put there. The running
 * system takes its place, else the newest that is good.
 * @param lacking the IDs of entries that name a file which is not there
 */
export function withGoodDefault(
  surveyed: Survey,
  { entries }: Inventory,
  lacking: ReadonlySet<string>,
): Survey {
  const { default: id, unreachable } = surveyed;
  const failing = new Set([...entries.filter(isBad).map((entry) => entry.id), ...lacking]);
  if (!failing.has(id)) return surveyed;
  const isGood = (entry: WantedEntry) => !failing.has(entry.id) && !unreachable.has(entry.id);
  const other = standIn(surveyed, isGood);
  const failed = lacking.has(id)
    ? `${id} does not boot without a file that is not on the ESP`
    : `${id} is bad: it was tried as often as it may be, and did not come up`;
  const warning = other
    ? `${failed}; ${other.id} is made the one that boots next`
    : `${failed}; there is no other to boot next`;
  const told = { ...surveyed, warnings: [...surveyed.warnings, warning] };
  return other ? withDefault(told, other.id) : told;
}

/** Returns what boots next in the place of another: the running system, else the newest that may. */
function standIn(
  { musts, wishes, running }: Survey,
  isPossible: (entry: WantedEntry) => boolean,
): WantedEntry | undefined {
  const possible = [...musts, ...wishes]
    .toSorted(newestFirst)
    .flatMap(({ entries }) => entries)
    .filter(isPossible);
  return possible.find(({ toplevel }) => toplevel === running) ?? possible[0];
}

/** Numbers of different profiles say nothing about each other; the system profile's come first. */
function newestFirst(a: WantedGeneration, b: WantedGeneration): number {
  const isNamed = ({ name, number }: WantedGeneration) => name !== String(number);
  return Number(isNamed(a)) - Number(isNamed(b)) || b.number - a.number;
}

function tell(
  troubled: ReadonlyMap<WantedEntry, readonly Trouble[]>,
  isMeant: (trouble: Trouble) => boolean,
): readonly string[] {
  return [...troubled].flatMap(([{ id }, troubles]) =>
    troubles.filter(isMeant).map(({ text }) => `${id}: ${text}`),
  );
}

function absent({ id }: WantedEntry, { text }: Trouble, hint: string): EspError {
  return new EspError('VERITY_ABSENT', `${id}: ${text}`, { hint: `nothing was touched; ${hint}` });
}
