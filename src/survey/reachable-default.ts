/** Which entry boots next, when the one that should must not or need not. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import type { WantedEntry } from '../plan/wanted.ts';
import type { Trouble } from './root-hash-check.ts';
import { standIn, withDefault } from './stand-in.ts';
import type { Survey } from './surveyed.ts';

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
