/**
 * What lanzaboote and nixpkgs' builder for systemd-boot manage on an ESP, and how it becomes ours when
 * a run is asked to take their place.
 */
import type { Disk } from '../disk/disk.ts';
import { extraNameFault } from './extra-name.ts';
import type { EntryFile, Inventory, StrayFile } from './inventory.ts';
import {
  blobDirectory,
  directoryOf,
  ENTRIES,
  type EspPath,
  entryId,
  espPath,
  fileName,
  IMAGES,
  isTemporaryName,
} from './layout.ts';

/**
 * Returns an inventory in which everything is ours that they would take for their own: every file in
 * the directory of kernels and initrds, of lanzaboote every one among the images whose name begins with
 * the token, and the entries and extra files that nixpkgs' builder has written. What an entry of anyone
 * else names stays all the same, and so does every directory.
 */
export function takeOver(inventory: Inventory, disk: Disk, root: string, token: string): Inventory {
  const isManaged = (path: EspPath) =>
    directoryOf(path) === IMAGES && fileName(path).toLowerCase().startsWith(`${token}-`);
  const isTheirs = (entry: EntryFile) =>
    entry.name === undefined && (isManaged(entry.path) || isBuilt(entry, token));
  const entries = inventory.entries.map((entry) =>
    isTheirs(entry) ? { ...entry, adopted: generationOf(entry, token) } : entry,
  );
  const { blobs, manifests = [] } = inventory;
  const known = new Set([...blobs, ...manifests, ...entries].map(({ path }) => path));
  const isStray = (path: EspPath) =>
    !known.has(path) &&
    !FWUPD.test(fileName(path)) &&
    !isTemporaryName(fileName(path)) &&
    (directoryOf(path) === blobDirectory(token) || isManaged(path));
  const strays = [blobDirectory(token), IMAGES].flatMap((directory) =>
    (disk.list(`${root}/${directory}`) ?? []).flatMap(({ name, kind }): StrayFile[] => {
      const path = espPath(directory, name);
      const stat = kind === 'file' && isStray(path) ? disk.stat(`${root}/${path}`) : undefined;
      return stat ? [{ path, size: stat.size }] : [];
    }),
  );
  return { ...inventory, entries, strays, marks: marksOf(disk, root, token) };
}

/** Staged firmware updates start from here: fwupd, and fwupdate before it, are guests in this directory. */
const FWUPD = /^fwup/i;

/**
 * No more directories are read once there are so many marks, or once so many were read: on a damaged FAT
 * two names may lead to one directory, at every level. None is deeper than FAT has a use for.
 */
const MAX_MARKS = 1000;
const MAX_LISTINGS = 1000;
const MAX_DEPTH = 32;

/**
 * The builder's marks: an empty file in a tree of its own for each extra file that it has written, under
 * the same path. What may be no extra file of ours stays the builder's.
 */
function marksOf(disk: Disk, root: string, token: string): NonNullable<Inventory['marks']> {
  const tree = espPath(blobDirectory(token), '.extra-files');
  return filesBelow(disk, root, tree).flatMap((path) => {
    const of = espPath(path.slice(tree.length + 1));
    const size = disk.stat(`${root}/${path}`)?.size;
    return size === undefined || extraNameFault(of, token) !== undefined
      ? []
      : [{ path, size, of }];
  });
}

/** Files in a directory and those below it. Links are not followed. */
function filesBelow(disk: Disk, root: string, tree: EspPath): EspPath[] {
  const files: EspPath[] = [];
  const queue = [{ directory: tree, depth: 0 }];
  let left = MAX_LISTINGS;
  for (let next = queue.pop(); next && files.length < MAX_MARKS; next = queue.pop()) {
    if (left-- === 0) break;
    for (const { name, kind } of disk.list(`${root}/${next.directory}`) ?? []) {
      const path = espPath(next.directory, name);
      if (kind === 'file') files.push(path);
      if (kind === 'directory' && next.depth < MAX_DEPTH) {
        queue.push({ directory: path, depth: next.depth + 1 });
      }
    }
  }
  return files;
}

/**
 * Whether nixpkgs' builder has written an entry. Its names are those of a generation, with that of a
 * profile before it, or since 2026 the SHA-256 of the text; and its kernels lie where ours do. One that
 * names nothing any more is damaged.
 */
function isBuilt({ path, references }: EntryFile, token: string): boolean {
  const id = entryId(fileName(path)).toLowerCase();
  return (
    directoryOf(path) === ENTRIES &&
    id.startsWith(`${token}-`) &&
    BUILT.test(id.slice(token.length)) &&
    (references.length === 0 || references.some((file) => isStored(file, token)))
  );
}

const BUILT = /^-(?:[0-9a-f]{64}|(?:.+-)?generation-\d{1,15}(?:-specialisation-.+)?)\.conf$/;

function isStored(path: EspPath, token: string): boolean {
  return directoryOf(path).toLowerCase() === blobDirectory(token).toLowerCase();
}

/**
 * The number of the generation that an entry tells, or 0, which Nix gives to none: nixpkgs' builder in
 * its text, both in its file name. What follows it there may be anything: a specialisation is called as
 * it calls itself.
 */
function generationOf({ path, version = '' }: EntryFile, token: string): number {
  const rest = fileName(path).slice(token.length);
  const told = /^Generation (\d{1,15})\b/.exec(version) ?? /-generation-(\d{1,15})[-.]/i.exec(rest);
  return Number(told?.[1] ?? 0);
}
