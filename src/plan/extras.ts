/**
 * Decides which extra files an ESP should have, and which of the existing ones are ours. A person
 * chose their names, so a list on the ESP of what we wrote tells which are ours. Pure.
 */
import type { Digest } from '../digest.ts';
import {
  type ExtraFile,
  type ExtraManifest,
  type ExtraRecord,
  extraRole,
  formatManifest,
  manifestPath,
} from '../esp/extra-manifest.ts';
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { keyOf, type OwnFiles } from './present.ts';
import { sharedWithTemporary } from './roots.ts';
import type { Scope } from './scope.ts';
import type { Content } from './step.ts';
import type { WantedFile } from './wanted.ts';

/** A file that a person wants on the ESP besides generations. Size in bytes. */
export interface DeclaredExtra extends ExtraRecord {
  readonly content: Content;
  /** For an entry: the files on the ESP that it names. */
  readonly others: readonly EspPath[];
}

/** What exists under the name of an extra file. Size in bytes. */
export interface FoundExtra {
  /** `blocked`: it is no regular file, or a parent of it is no directory. */
  readonly kind: 'absent' | 'file' | 'blocked';
  readonly size: number;
  /**
   * Undefined when the size decides (see {@link wantsDigest}), and when the file cannot be read.
   */
  readonly digest?: Digest | undefined;
  /** Why its bytes cannot be read. */
  readonly unreadable?: string | undefined;
}

/** Everything about one path: the wanted file, what we wrote there, and what is there. */
export interface ExtraCase {
  readonly path: EspPath;
  readonly declared?: DeclaredExtra | undefined;
  /**
   * What lists say that we wrote there. After an interrupted run it may be more than one content.
   */
  readonly records: readonly ExtraRecord[];
  /** Whether a tool that is being replaced marks the file as its own. */
  readonly isTakenOver: boolean;
}

/** The result for all extra files. */
export interface Extras {
  /** The list first, then the extra files that we have or may write. */
  readonly wanted: readonly WantedFile[];
  /** The files that the entries among them name. */
  readonly named: readonly EspPath[];
  /** Those entries, each with the files that it names. */
  readonly entries: readonly Pick<DeclaredExtra, 'path' | 'others'>[];
  readonly own: readonly ExtraFile[];
  readonly warnings: readonly string[];
}

/**
 * Returns every path that is declared, listed or taken over. A damaged list still counts if it is
 * the one that we would write now, because its name carries its digest.
 */
export function extraCases(
  declared: readonly DeclaredExtra[],
  manifests: readonly ExtraManifest[],
  takenOver: readonly EspPath[],
  token: string,
): ExtraCase[] {
  const whole = manifestPath(formatManifest(declared), token);
  const records = manifests.flatMap((manifest) =>
    manifest.path.toLowerCase() === whole.toLowerCase() ? declared : (manifest.records ?? []),
  );
  const taken = new Set(takenOver.map(keyOf));
  const wanted = new Map(declared.map((extra) => [keyOf(extra.path), extra]));
  const listed = Map.groupBy(records, ({ path }) => keyOf(path));
  const paths = [...declared, ...records].map(({ path }) => path);
  const all = new Map([...takenOver, ...paths].map((path) => [keyOf(path), path]));
  return [...all].map(([key, path]) => ({
    path,
    declared: wanted.get(key),
    records: listed.get(key) ?? [],
    isTakenOver: taken.has(key),
  }));
}

/** Returns whether deciding takes the digest of the existing file, besides its size in bytes. */
export function wantsDigest(extra: ExtraCase, size: number, deep: boolean): boolean {
  const { declared, records } = extra;
  const known = declared ? [declared, ...records] : records;
  return known.some((record) => record.size === size) && (deep || !isSettled(extra));
}

/**
 * Returns whether only the wanted content was ever written there. Then a file of that size is it.
 */
function isSettled({ declared, records }: ExtraCase): boolean {
  return records.length > 0 && records.every(({ digest }) => digest === declared?.digest);
}

/** Decides each path by itself, and makes the list of those that are ours. */
export function decideExtras(cases: readonly ExtraView[], token: string): Extras {
  const verdicts = cases.map((extra) => ({ ...extra, verdict: judge(extra) }));
  const wanted = verdicts.flatMap(({ declared, verdict }) =>
    declared && verdict.kind !== 'foreign' ? [declared] : [],
  );
  return {
    wanted: [...manifestOf(wanted, token), ...wanted.map(wantedFile)],
    named: wanted.flatMap(({ others }) => others),
    entries: wanted.filter(({ others }) => others.length > 0),
    own: verdicts.flatMap(({ path, found: { size }, verdict }): ExtraFile[] => {
      const own = { role: extraRole(path), path, size };
      if (verdict.kind === 'ours') return [own];
      if (verdict.kind === 'outdated') return [{ ...own, isOutdated: true }];
      return verdict.kind === 'damaged' ? [{ ...own, damage: verdict.because }] : [];
    }),
    warnings: verdicts.flatMap(({ path, verdict }) =>
      verdict.kind === 'foreign' && verdict.because ? [`${path} ${verdict.because}`] : [],
    ),
  };
}

type Verdict =
  | { readonly kind: 'absent' | 'ours' | 'outdated' }
  | { readonly kind: 'damaged'; readonly because: string }
  /** The file is not ours and stays. It gets a warning unless it is the wanted one. */
  | { readonly kind: 'foreign'; readonly because?: string };

/** An extra file, and what exists in its place. */
export type ExtraView = ExtraCase & { readonly found: FoundExtra };

function judge(extra: ExtraView): Verdict {
  const { declared, found } = extra;
  if (found.kind === 'absent') return { kind: 'absent' };
  if (declared) return judgeDeclared(extra, declared);
  if (found.kind === 'blocked') return { kind: 'foreign' };
  if (extra.isTakenOver || isRecorded(extra)) return { kind: 'ours' };
  return foreign('is left there: it is not as we wrote it any more');
}

function judgeDeclared(extra: ExtraView, declared: DeclaredExtra): Verdict {
  const { records, isTakenOver, found } = extra;
  if (found.kind === 'blocked') return foreign('cannot be written: something else is there');
  if (found.digest === declared.digest) {
    // A foreign file does not become ours because it has the same content.
    return { kind: records.length > 0 || isTakenOver ? 'ours' : 'foreign' };
  }
  if (isTakenOver) return { kind: 'outdated' };
  if (records.length === 0) return foreign('is left alone: it is there and is not ours');
  if (found.digest === undefined && isSettled(extra) && found.size === declared.size) {
    return { kind: 'ours' };
  }
  if (isRecorded(extra)) return { kind: 'outdated' };
  if (found.unreadable !== undefined) return { kind: 'damaged', because: found.unreadable };
  if (!isDamage(found.size, records)) {
    return foreign('is left alone: somebody else has changed it since we wrote it');
  }
  // A repair writes no list, so it writes only files that an existing list names.
  return records.some(({ digest }) => digest === declared.digest)
    ? { kind: 'damaged', because: 'its content is not what we wrote' }
    : { kind: 'outdated' };
}

function isRecorded({ records, found }: ExtraView): boolean {
  return records.some(({ digest }) => digest === found.digest);
}

const foreign = (because: string): Verdict => ({ kind: 'foreign', because });

const SECTOR = 512;

/**
 * Returns whether damage could have left a file of ours at this size: the same size with other
 * content, or less by whole sectors, as after a file system check. A file of any other size is
 * somebody's own.
 */
function isDamage(size: number, records: readonly ExtraRecord[]): boolean {
  return records.some(
    (record) => size === record.size || (size < record.size && size % SECTOR === 0),
  );
}

function manifestOf(wanted: readonly DeclaredExtra[], token: string): WantedFile[] {
  if (wanted.length === 0) return [];
  const text = formatManifest(wanted);
  const size = new TextEncoder().encode(text).length;
  return [
    { role: 'manifest', path: manifestPath(text, token), size, content: { kind: 'text', text } },
  ];
}

function wantedFile({ path, size, content }: DeclaredExtra): WantedFile {
  return { role: extraRole(path), path, size, content };
}

/**
 * Returns the keys of the lists that stay: a list that alone says that a remaining file is ours. A
 * collection writes no list, so it keeps everything while a new list is needed.
 */
export function listsToKeep(
  kept: ReadonlySet<string>,
  inventory: Inventory,
  { extras, scope }: { readonly extras: Pick<Extras, 'wanted'>; readonly scope: Scope },
  own: OwnFiles,
): readonly string[] {
  const { manifests = [], marks = [] } = inventory;
  const wanted = new Set(extras.wanted.map(({ path }) => keyOf(path)));
  const isWaiting = extras.wanted.some(
    ({ role, path }) => role === 'manifest' && !own.has(keyOf(path)),
  );
  if (scope === 'gc' && isWaiting) {
    return [...own].flatMap(([key, { role }]) =>
      role === 'entry' || role === 'blob' ? [] : [key],
    );
  }
  // A file that shares clusters with a temporary one is not written either, even if it is wanted.
  const untouched = new Set(sharedWithTemporary(inventory).map(keyOf));
  const stays = ({ path }: { readonly path: EspPath }) => {
    const key = keyOf(path);
    return own.has(key) && (untouched.has(key) || (kept.has(key) && !wanted.has(key)));
  };
  return [
    ...manifests.filter(({ records = [] }) => records.some(stays)),
    ...marks.filter(({ of }) => stays({ path: of })),
  ].map(({ path }) => keyOf(path));
}
