/** How much of a plan a verb may carry out: `install` all of it, `repair` and `gc` a part. Pure. */

import { lastThatBoots } from './free-first.ts';
import { keyOf, type OwnFile, type OwnFiles, type Standing } from './present.ts';
import type { WantedFile, WantedGeneration } from './wanted.ts';

/** `all`: everything; `repair`: only mend files; `gc`: only remove files that nothing needs. */
export type Scope = 'all' | 'repair' | 'gc';

/** A wanted file that is missing or damaged. */
export interface Write {
  readonly file: WantedFile;
  readonly found: Exclude<Standing, { kind: 'present' }>;
}

/** Returns whether a write mends what is there: then a repair does it, too. */
export function mends({ found }: Write): boolean {
  return found.kind === 'damaged' || (found.kind === 'astray' && !found.boots);
}

/**
 * Returns the lacking files that may be written. A repair adds no entry that was not there, but for what
 * is `needed`: by a mended entry, or for something to boot next. What boots from another file stays.
 */
export function writesWithin(
  scope: Scope,
  lacking: readonly Write[],
  own: OwnFiles,
  needed: ReadonlySet<string>,
): readonly Write[] {
  if (scope === 'all') return lacking;
  if (scope === 'gc') return [];
  const named = new Set([...own.values()].flatMap(({ references }) => references.map(keyOf)));
  for (const key of needed) named.add(key);
  return lacking.filter(
    (write) =>
      mends(write) || (write.found.kind === 'missing' && named.has(keyOf(write.file.path))),
  );
}

/** What a plan has decided when it asks what may go. */
interface Decided {
  readonly generations: readonly WantedGeneration[];
  /** What these lack, and what of it is written. */
  readonly lacking: readonly Write[];
  readonly writes: readonly Write[];
  readonly own: OwnFiles;
}

/** Returns which of our unwanted files may be removed. */
export function removalsWithin(
  scope: Scope,
  unused: readonly OwnFile[],
  decided: Decided,
): readonly OwnFile[] {
  return REMOVALS[scope](unused, decided);
}

const REMOVALS = {
  all: (unused) => unused,
  repair: damagedOnes,
  gc: collected,
} as const satisfies Record<
  Scope,
  (unused: readonly OwnFile[], decided: Decided) => readonly OwnFile[]
>;

/** What is damaged and not wanted cannot be mended: it goes, unless an entry that stays names it. */
function damagedOnes(unused: readonly OwnFile[], { writes, own }: Decided): readonly OwnFile[] {
  const isDamaged = (role: OwnFile['role']) =>
    unused.filter((file) => file.role === role && file.damage !== undefined);
  const entries = isDamaged('entry');
  const written = new Set(writes.map(({ file }) => keyOf(file.path)));
  const gone = new Set(entries);
  const staying = [...own].flatMap(([key, file]) =>
    written.has(key) || gone.has(file) ? [] : file.references.map(keyOf),
  );
  const named = new Set(staying);
  return [...entries, ...isDamaged('blob').filter(({ path }) => !named.has(keyOf(path)))];
}

/**
 * A collection writes nothing, so it keeps an entry whose successor is missing, and the last entry that
 * boots.
 */
function collected(
  unused: readonly OwnFile[],
  { generations, lacking, own }: Decided,
): readonly OwnFile[] {
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
