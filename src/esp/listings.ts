/** What directories hold, before any file in them is looked at. Pure. */
import type { DirectoryEntry } from '../disk/disk.ts';
import { type EspPath, espPath } from './layout.ts';

/** What is in each directory; undefined where there is none. */
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
