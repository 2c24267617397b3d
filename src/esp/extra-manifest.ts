/**
 * The list of extra files on an ESP: files that we wrote under names that are not ours, so we may
 * replace or remove them. The list's name carries the digest of its text, so that a new list lies
 * beside the old one while both are needed.
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

/** A list on an ESP. Size in bytes. */
export interface ExtraManifest {
  readonly path: EspPath;
  readonly size: number;
  /** Undefined when the text contradicts the name of the list. */
  readonly records: readonly ExtraRecord[] | undefined;
  readonly damage?: string;
}

/** An entry names files, so it is removed before them. A file is written before its entry. */
export type ExtraRole = 'extra-file' | 'extra-entry';

/** An extra file on an ESP that is ours. Size in bytes. */
export interface ExtraFile {
  readonly role: ExtraRole;
  readonly path: EspPath;
  readonly size: number;
  readonly damage?: string;
  /** Whether the settings declare other content since we wrote it. */
  readonly isOutdated?: boolean;
}

/** Returns the role of an extra file, from its path. */
export function extraRole(path: EspPath): ExtraRole {
  const isEntry = directoryOf(path).toLowerCase() === ENTRIES && /\.conf$/i.test(path);
  return isEntry ? 'extra-entry' : 'extra-file';
}

/** In bytes. Nobody declares thousands of extra files. */
const LIMIT = 64 * 1024;
/** Interrupted runs leave no more lists than this. Further lists are ignored. */
const MAX_LISTS = 8;
const HEAD = 'espalier extra files 1';
const NAME = /^extra-files-([a-z2-7]{52})\.txt$/i;
const LINE = /^([0-9a-f]{64}) (\d{1,10}) (.+)$/;

/** Returns the text of a list: a first line, then for each file a line of digest, size and path. */
export function formatManifest(records: readonly ExtraRecord[]): string {
  const lines = records
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size, digest }) => `${digest} ${size} ${path}`);
  return `${[HEAD, ...lines].join('\n')}\n`;
}

/** Parses a list. It drops malformed lines, and paths that no extra file may have. */
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

/** Returns the path of the list with this text. */
export function manifestPath(text: string, token: string): EspPath {
  return espPath(blobDirectory(token), `extra-files-${base32(hash(text))}.txt`);
}

/** Returns the digest in the name of a list, or undefined for any other name. */
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
 * Returns the directories of the files that lists name. Every part of such a path is a directory
 * and no link.
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

/** Returns whether a path leads to a directory without a link, which would lead out of the ESP. */
export function isDirectory(disk: Disk, root: string, path: EspPath): boolean {
  const parts = path === '' ? [] : path.split('/');
  return parts.every((_, index) => {
    const at = `${root}/${parts.slice(0, index + 1).join('/')}`;
    return disk.linkStat(at)?.kind === 'directory';
  });
}
