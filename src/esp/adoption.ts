/**
 * Finds the files that lanzaboote and nixpkgs' builder for systemd-boot manage on an ESP, and makes
 * them ours when a run is asked to replace these tools.
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
} from './layout.ts';
import { isTemporaryName } from './temporary-name.ts';

/**
 * Returns an inventory in which the files of these tools are ours: every file in the directory of
 * kernels and initrds; every image of lanzaboote whose name begins with the token; the entries and
 * extra files that nixpkgs' builder wrote. A file that a foreign entry names stays, and so does
 * every directory.
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
    !GUESTS.test(fileName(path)) &&
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

/**
 * Guests in this directory. Staged firmware updates start from here, by fwupd or fwupdate before it; and
 * whoever calls an installation of GRUB, shim or rEFInd after the system has their programs here, for FAT has
 * one name for NixOS and nixos. A kernel has its store path or its release in its name.
 */
const GUESTS = /^(?:fwup.*|(?:shim|grub|mm|fb|boot|refind|memtest)[a-z0-9_]*\.(?:efi|cfg|csv))/i;

/**
 * No more directories are read once there are so many marks, or once so many were read: on a damaged FAT
 * two names may lead to one directory, at every level. None is deeper than FAT has a use for.
 */
const MAX_MARKS = 1000;
const MAX_LISTINGS = 1000;
const MAX_DEPTH = 32;

/**
 * Returns the builder's marks. For each extra file, the builder keeps an empty file under the same
 * path in a tree of its own. A path that cannot be an extra file of ours stays the builder's.
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

/** Returns the files in and below a directory. It does not follow links. */
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
 * Returns whether nixpkgs' builder wrote an entry. Its name is that of a generation, after the
 * profile's name if there is one, or since 2026 the SHA-256 of the text; and its kernel lies where
 * ours do. An entry that names no files any more is damaged.
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
 * Returns the number of an entry's generation, or 0, which Nix gives to no generation. nixpkgs'
 * builder writes it into the text, and both tools write it into the file name. Anything may follow
 * it there: a specialisation chooses its own name.
 */
function generationOf({ path, version = '' }: EntryFile, token: string): number {
  const rest = fileName(path).slice(token.length);
  const told = /^Generation (\d{1,15})\b/.exec(version) ?? /-generation-(\d{1,15})[-.]/i.exec(rest);
  return Number(told?.[1] ?? 0);
}
