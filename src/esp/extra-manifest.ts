/**
 * The list of extra files that is kept on an ESP: what we have written under names that are not ours,
 * and so what we may replace or remove there. Its own name carries the digest of its text, so that a
 * new list lies beside the old one for as long as both are needed.
 */
import { base32, type Digest, hash, parseBase32 } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { extraNameFault } from './extra-name.ts';
import { blobDirectory, directoryOf, ENTRIES, type EspPath, espPath } from './layout.ts';

/** A file that we have written or are about to write. Size in bytes. */
export interface ExtraRecord {
  readonly path: EspPath;
  readonly size: number;
  readonly digest: Digest;
}

/** A list as it was found. Size in bytes. */
export interface ExtraManifest {
  readonly path: EspPath;
  readonly size: number;
  /** Undefined when its text is not what its name says. */
  readonly records: readonly ExtraRecord[] | undefined;
  readonly damage?: string;
}

/** An entry names others and goes before them; a file is named and comes before. */
export type ExtraRole = 'extra-file' | 'extra-entry';

/** An extra file on an ESP that is ours. Size in bytes. */
export interface ExtraFile {
  readonly role: ExtraRole;
  readonly path: EspPath;
  readonly size: number;
  readonly damage?: string;
  /** Another content was declared since we wrote it. */
  readonly isOutdated?: boolean;
}

/** Returns what an extra file is by its path. */
export function extraRole(path: EspPath): ExtraRole {
  const isEntry = directoryOf(path).toLowerCase() === ENTRIES && /\.conf$/i.test(path);
  return isEntry ? 'extra-entry' : 'extra-file';
}

/** Thousands of files are no extra. Bytes. */
const LIMIT = 64 * 1024;
/** More lists than these no interrupted runs have left: what the others say is not read. */
const MAX_LISTS = 8;
const HEAD = 'espalier extra files 1';
const NAME = /^extra-files-([a-z2-7]{52})\.txt$/i;
const LINE = /^([0-9a-f]{64}) (\d{1,10}) (.+)$/;

/** Returns the text of a list: after its first line a line for each file, digest, size and path. */
export function formatManifest(records: readonly ExtraRecord[]): string {
  const lines = records
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, digest }) => `${digest} ${size} ${path}`);
  return `${[HEAD, ...lines].join('\n')}\n`;
}

/** Reads a list; what is no line of one, or names what no extra file may be, is left out. */
export function parseManifest(text: string, token: string): ExtraRecord[] {
  const [head, ...lines] = text.split('\n');
  if (head !== HEAD) return [];
  return lines.flatMap((line) => {
    const [, digest, size, path] = LINE.exec(line) ?? [];
    if (digest === undefined || path === undefined) return [];
    if (extraNameFault(espPath(path), token) !== undefined) return [];
    return [{ path: espPath(path), size: Number(size), digest: digest as Digest }];
  });
}

/** Returns where the list with this text lies. */
export function manifestPath(text: string, token: string): EspPath {
  return espPath(blobDirectory(token), `extra-files-${base32(hash(text))}.txt`);
}

/** Returns the digest that the name of a list carries, or undefined when it is no such name. */
function parseManifestName(name: string): Digest | undefined {
  const text = NAME.exec(name)?.[1];
  return text === undefined ? undefined : parseBase32(text.toLowerCase());
}

/** Reads the lists among the files of our directory on an ESP. */
export function readManifests(
  disk: Disk,
  root: string,
  files: readonly { readonly name: string; readonly path: EspPath }[],
  token: string,
): ExtraManifest[] {
  const lists = files.flatMap(({ name, path }) => {
    const digest = parseManifestName(name);
    const size = digest === undefined ? undefined : disk.stat(`${root}/${path}`)?.size;
    return digest === undefined || size === undefined ? [] : [{ path, digest, size }];
  });
  return lists.map(({ path, digest, size }, index) => {
    const isRead = index < MAX_LISTS && size <= LIMIT;
    const bytes = isRead ? disk.read(`${root}/${path}`, LIMIT) : undefined;
    const isWhole = bytes !== undefined && hash(bytes) === digest;
    const records = isWhole ? parseManifest(new TextDecoder().decode(bytes), token) : undefined;
    const damage = isWhole ? {} : { damage: 'its text is not what its name says' };
    return { path, size, records, ...damage };
  });
}

/**
 * Returns the directories, by their parts all of them directories and no links, in which files lie that
 * lists tell of.
 */
export function extraDirectories(
  disk: Disk,
  root: string,
  manifests: readonly ExtraManifest[],
): EspPath[] {
  const records = manifests.flatMap((manifest) => manifest.records ?? []);
  const directories = new Set(records.map(({ path }) => directoryOf(path)));
  return [...directories].filter((directory) => isDirectory(disk, root, directory));
}

/** Whether a path leads to a directory without a link on the way; a link would lead out of the ESP. */
export function isDirectory(disk: Disk, root: string, path: EspPath): boolean {
  const parts = path === '' ? [] : path.split('/');
  return parts.every((_, index) => {
    const at = `${root}/${parts.slice(0, index + 1).join('/')}`;
    return disk.linkStat(at)?.kind === 'directory';
  });
}
