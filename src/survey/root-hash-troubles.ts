/** Which wanted entries name file systems by their root hashes that are not here. */
import type { Context } from '../context.ts';
import type { WantedGeneration } from '../plan/wanted.ts';
import type { Trouble } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';

/** What is wrong, by the ID of an entry, and in words. */
export interface RootHashTroubles {
  readonly troubles: ReadonlyMap<string, readonly Trouble[]>;
  /** What is known to be wrong. */
  readonly warnings: readonly string[];
  /** What nobody can tell from here. */
  readonly notices: readonly string[];
}

/** Looks for the file systems of all entries. An entry without its file system would wait for it. */
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
