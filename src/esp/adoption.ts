/** What lanzaboote manages on an ESP, and how it becomes ours when a run is asked to take its place. */
import type { Disk } from '../disk/disk.ts';
import type { Inventory, StrayFile } from './inventory.ts';
import {
  blobDirectory,
  directoryOf,
  type EspPath,
  espPath,
  fileName,
  IMAGES,
  isTemporaryName,
} from './layout.ts';

/**
 * Returns an inventory in which everything is ours that lanzaboote would take for its own: every file
 * in the directory of kernels and initrds, and every one among the images whose name begins with the
 * token. What an entry of anyone else names stays all the same, and so does every directory.
 */
export function takeOver(inventory: Inventory, disk: Disk, root: string, token: string): Inventory {
  const isManaged = (path: EspPath) =>
    directoryOf(path) === IMAGES && fileName(path).toLowerCase().startsWith(`${token}-`);
  const entries = inventory.entries.map((entry) =>
    entry.name === undefined && isManaged(entry.path)
      ? { ...entry, adopted: generationIn(entry.path, token) }
      : entry,
  );
  const known = new Set([...inventory.blobs, ...entries].map(({ path }) => path));
  const isStray = (path: EspPath) =>
    !known.has(path) &&
    !isTemporaryName(fileName(path)) &&
    (directoryOf(path) === blobDirectory(token) || isManaged(path));
  const strays = [blobDirectory(token), IMAGES].flatMap((directory) =>
    (disk.list(`${root}/${directory}`) ?? []).flatMap(({ name, kind }): StrayFile[] => {
      const path = espPath(directory, name);
      const stat = kind === 'file' && isStray(path) ? disk.stat(`${root}/${path}`) : undefined;
      return stat ? [{ path, size: stat.size }] : [];
    }),
  );
  return { ...inventory, entries, strays };
}

/**
 * The number of the generation that a file name of lanzaboote tells, or 0, which Nix gives to none.
 * What follows it may be anything: a specialisation is called there as it calls itself.
 */
function generationIn(path: EspPath, token: string): number {
  const rest = fileName(path).slice(token.length);
  return Number(/^-generation-(\d{1,15})-/i.exec(rest)?.[1] ?? 0);
}
