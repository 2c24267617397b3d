/** How much of a plan a verb is allowed: `install` all of it, `repair` and `gc` a part each. Pure. */

import { lastThatBoots } from './free-first.ts';
import { keyOf, type OwnFile, type OwnFiles, type Standing } from './present.ts';
import type { WantedFile, WantedGeneration } from './wanted.ts';

/** `all`; only to mend what is there, `repair`; only to remove what nothing needs, `gc`. */
export type Scope = 'all' | 'repair' | 'gc';

/** A wanted file that is not there, or damaged. */
export interface Write {
  readonly file: WantedFile;
  readonly found: Exclude<Standing, { kind: 'present' }>;
}

/** Of the files that are lacking, those that may be written: a repair adds no entry that was not there. */
export function writesWithin(
  scope: Scope,
  lacking: readonly Write[],
  own: OwnFiles,
): readonly Write[] {
  if (scope === 'all') return lacking;
  if (scope === 'gc') return [];
  const named = new Set([...own.values()].flatMap(({ references }) => references.map(keyOf)));
  return lacking.filter(
    ({ file, found }) =>
      found.kind === 'damaged' || (found.kind === 'missing' && named.has(keyOf(file.path))),
  );
}

/**
 * Of the files of ours that nothing wants, those that may go. Nothing is written in a collection, so
 * an entry whose successor is not there yet stays, and so does the last one that boots.
 */
export function removalsWithin(
  scope: Scope,
  unused: readonly OwnFile[],
  generations: readonly WantedGeneration[],
  lacking: readonly Write[],
  own: OwnFiles,
): readonly OwnFile[] {
  if (scope === 'all') return unused;
  if (scope === 'repair') return [];
  const absent = new Set(lacking.map(({ file }) => keyOf(file.path)));
  const waiting = new Set(
    generations
      .filter(({ entries }) => entries.some(({ file }) => absent.has(keyOf(file.path))))
      .map(({ number }) => number),
  );
  const last = lastThatBoots(unused, own);
  const entries = unused.filter(
    (file) => file.role === 'entry' && file !== last && !waiting.has(file.generation),
  );
  const going = new Set(entries);
  const named = new Set(
    [...own.values()]
      .filter((file) => !going.has(file))
      .flatMap(({ references }) => references.map(keyOf)),
  );
  const blobs = unused.filter((file) => file.role === 'blob' && !named.has(keyOf(file.path)));
  const extras = unused.filter(({ role }) => role !== 'entry' && role !== 'blob');
  return [...entries, ...extras, ...blobs];
}
