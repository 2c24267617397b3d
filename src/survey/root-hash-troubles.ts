/**
 * Finds wanted entries that name file systems by root hashes, when those are not on this machine.
 */
import type { Context } from '../context.ts';
import type { WantedGeneration } from '../plan/wanted.ts';
import type { Trouble } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';

/** What is wrong, in words, by the ID of an entry. */
export interface RootHashTroubles {
  readonly troubles: ReadonlyMap<string, readonly Trouble[]>;
  /** Faults that are certain. */
  readonly warnings: readonly string[];
  /** Faults that cannot be decided here. */
  readonly notices: readonly string[];
}

/**
 * Looks for the file systems of all entries. An entry without its file system would wait for it.
 */
export async function findRootHashTroubles(
  generations: readonly WantedGeneration[],
  settings: Settings,
  context: Context,
): Promise<RootHashTroubles> {
  const entries = generations
    .flatMap((generation) => generation.entries)
    .filter(({ cmdline }) => /\b(?:root|usr)hash=/.test(cmdline));
  const troubles = new Map<string, readonly Trouble[]>();
  if (entries.length === 0) return { troubles, warnings: [], notices: [] };
  const { findTroubles } = await import('./root-hash-check.ts');
  for (const { id, cmdline } of entries) {
    const found = await findTroubles(cmdline, { settings, context, deep: false });
    if (found.length > 0) troubles.set(id, found);
  }
  const told = (isMeant: (trouble: Trouble) => boolean) =>
    [...troubles].flatMap(([id, found]) =>
      found.filter(isMeant).map(({ text }) => `${id}: ${text}`),
    );
  return {
    troubles,
    warnings: told(({ isUnknown }) => !isUnknown),
    notices: told(({ isUnknown }) => isUnknown),
  };
}
