/** Decides what boots next. No other place does. Pure. */
import { EspError } from '../error.ts';
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { comingCounter } from './kept-counters.ts';
import { isBad } from './menu-order.ts';
import { banOf, blobsByPath } from './refused.ts';
import { mustHave, standIn } from './stand-in.ts';
import type { EspView } from './view.ts';
import { entriesOf, type WantedEntry } from './wanted.ts';
import type { Trouble, WantedSystem } from './wanted-system.ts';

/** Who wants what to boot next, and which entries can. */
export type NextBootQuestion = Pick<
  WantedSystem,
  'default' | 'standing' | 'troubles' | 'musts' | 'wishes' | 'running' | 'settings'
>;

/** The answer. */
export interface NextBoot {
  /** ID of the entry that boots next. */
  readonly id: string;
  /**
   * ID of the entry that the profiles alone would make boot next, without a standing choice or
   * counters.
   */
  readonly byProfiles: string;
  /** The generations, with the entry's own among those that must be on the ESP. */
  readonly musts: WantedSystem['musts'];
  readonly wishes: WantedSystem['wishes'];
  readonly warnings: readonly string[];
}

/**
 * Decides which entry boots next, in this order: the one that the profiles or a named target want;
 * another one, if its file systems are missing; a choice that stands; another one, if that is bad
 * or lacks a file. The running system replaces an entry that cannot boot, else the newest that can
 * does.
 * @param isGiven another program says what boots next, as with --keep-default; then counters and
 * missing files change nothing
 * @throws {VERITY_ABSENT} when no reachable entry is left, or when --require-verity forbids another
 * one
 * @throws {SECURE_BOOT_UNTRUSTED} when dbx has the digest of that entry, and there is no other
 */
export function nextBoot(
  question: NextBootQuestion,
  { inventory, absent }: Pick<EspView, 'inventory' | 'absent'>,
  isGiven: boolean,
): NextBoot {
  const reachable = nextReachable(question);
  const chosen = standingChoice(question, reachable.id) ?? reachable.id;
  const failing = isGiven ? new Map<string, string>() : failures(question, inventory, absent);
  const good = failing.has(chosen)
    ? nextGood(chosen, failing, question, inventory)
    : { id: chosen, warnings: [] };
  const { musts, wishes } = mustHave(mustHave(question, reachable.id), good.id);
  return {
    id: good.id,
    byProfiles: reachable.id,
    musts,
    wishes,
    warnings: [...reachable.warnings, ...good.warnings],
  };
}

/** An entry, and why it was chosen, for a person. */
interface Candidate {
  readonly id: string;
  readonly warnings: readonly string[];
}

/** An entry would wait for missing file systems, so another one replaces it. */
function nextReachable(question: NextBootQuestion): Candidate {
  const { default: id, troubles, settings } = question;
  const [trouble] = troubles.get(id) ?? [];
  if (trouble === undefined) return { id, warnings: [] };
  if (settings['require-verity']) {
    throw verityAbsent(
      id,
      trouble,
      'rebuild it with the partitions that are here, or do without --require-verity',
    );
  }
  if (!isUnreachable(question, id)) return { id, warnings: [] };
  const other = standIn(question, (entry) => !isUnreachable(question, entry.id));
  if (other === undefined) {
    throw verityAbsent(
      id,
      trouble,
      'no other system could boot in its place; name the disk with --disk when it is not one of this machine',
    );
  }
  const warning = `${id} is not made the one that boots next: it would wait for what is not here; ${other.id} is`;
  return { id: other.id, warnings: [warning] };
}

/** Returns whether the file systems of an entry are known to be missing. */
function isUnreachable({ troubles }: Pick<WantedSystem, 'troubles'>, id: string): boolean {
  return troubles.get(id)?.some(({ isUnknown }) => !isUnknown) === true;
}

function verityAbsent(id: string, { text }: Trouble, hint: string): EspError {
  return new EspError('VERITY_ABSENT', `${id}: ${text}`, { hint: `nothing was touched; ${hint}` });
}

/** Returns the standing choice, while the profiles say the same as when it was made. */
function standingChoice(question: NextBootQuestion, byProfiles: string): string | undefined {
  const { standing } = question;
  if (standing?.followed !== byProfiles || isUnreachable(question, standing.chosen))
    return undefined;
  return entriesOf(question).find(({ id }) => id === standing.chosen)?.id;
}

/** Returns why entries do not boot, by ID: a file is missing, or no tries are left. */
function failures(
  question: NextBootQuestion,
  inventory: Inventory,
  absent: ReadonlySet<EspPath>,
): ReadonlyMap<string, string> {
  const bad = inventory.entries.filter(isBad);
  const comingBad = entriesOf(question).filter((entry) => comingCounter(entry)?.triesLeft === 0);
  return new Map([
    ...[...bad, ...comingBad].map(
      ({ id }) => [id, 'is bad: it was tried as often as it may be, and did not come up'] as const,
    ),
    ...lackingFiles(question, absent).map(
      ({ id }) => [id, 'does not boot without a file that is not on the ESP'] as const,
    ),
    ...bannedIn(question, inventory),
  ]);
}

/** Our entries that firmware refuses whoever signs them, and those that would name such a file. */
function bannedIn(question: NextBootQuestion, inventory: Inventory): ReadonlyMap<string, string> {
  const blobs = blobsByPath(inventory);
  const coming = entriesOf(question).map(({ id, file: { path }, blobs: named }) => {
    return { id, path, references: named.map((blob) => blob.path) };
  });
  const own = inventory.entries.filter(({ name }) => name !== undefined);
  return new Map(
    [...coming, ...own].flatMap((entry): (readonly [id: string, because: string])[] => {
      const because = banOf(entry, blobs);
      return because === undefined ? [] : [[entry.id, `does not start: ${because}`]];
    }),
  );
}

function refused(id: string, because: string): EspError {
  return new EspError('SECURE_BOOT_UNTRUSTED', `${id} ${because}`, {
    hint: 'nothing was touched, and no other system could boot in its place: build one anew, so that it has another digest',
  });
}

function nextGood(
  id: string,
  failing: ReadonlyMap<string, string>,
  question: NextBootQuestion,
  inventory: Inventory,
): Candidate {
  const isGood = (entry: WantedEntry) =>
    !failing.has(entry.id) && !isUnreachable(question, entry.id);
  const other = standIn(question, isGood);
  const ban = bannedIn(question, inventory).get(id);
  if (other === undefined && ban !== undefined) throw refused(id, ban);
  const instead = other
    ? `${other.id} is made the one that boots next`
    : 'there is no other to boot next';
  return { id: other?.id ?? id, warnings: [`${id} ${failing.get(id)}; ${instead}`] };
}

/** Returns missing files that wanted entries name and that others have to put on the ESP. */
export function lackingFiles(
  wanted: Pick<WantedSystem, 'musts' | 'wishes'>,
  absent: ReadonlySet<EspPath>,
): { readonly id: string; readonly path: EspPath }[] {
  return entriesOf(wanted).flatMap(({ id, others = [] }) =>
    others.filter((path) => absent.has(path)).map((path) => ({ id, path })),
  );
}
