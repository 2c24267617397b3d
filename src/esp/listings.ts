/** What directories hold, before any of their files is read. Pure. */
import type { DirectoryEntry } from '../disk/disk.ts';
import { type EspPath, espPath } from './layout.ts';

/** The entries of each directory; undefined for one that does not exist. */
export type Listings = ReadonlyMap<EspPath, readonly DirectoryEntry[] | undefined>;

/** Returns the directories in listings that are not listed themselves. */
export function subdirectoriesIn(listings: Listings): readonly EspPath[] {
  const known = new Set([...listings.keys()].map((path) => path.toLowerCase()));
  return [...listings].flatMap(([directory, list = []]) =>
    list
      .filter(({ kind }) => kind === 'directory')
      .map(({ name }) => espPath(directory, name))
      .filter((path) => !known.has(path.toLowerCase())),
  );
}
