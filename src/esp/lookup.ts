/**
 * Looks for files that entries name. Each directory is listed once, however many names are asked for: a
 * crowd of entries may name thousands that are not there.
 */
import type { DirectoryEntry, Disk } from '../disk/disk.ts';
import type { EspPath } from './layout.ts';

/** Returns what is at a path, whatever its case; undefined where nothing is. Follows no link. */
export type Lookup = (path: EspPath) => DirectoryEntry['kind'] | undefined;

/** Returns a lookup for one moment: it does not see what changes after its first look at a directory. */
export function lookupOn(disk: Disk, root: string): Lookup {
  const listed = new Map<string, ReadonlyMap<string, DirectoryEntry>>();
  const namesIn = (directory: string): ReadonlyMap<string, DirectoryEntry> => {
    const known = listed.get(directory);
    if (known) return known;
    const entries = disk.list(directory) ?? [];
    const names = new Map(entries.map((entry) => [entry.name.toLowerCase(), entry]));
    listed.set(directory, names);
    return names;
  };
  return (path) => {
    let at = root;
    const parts = partsOf(path);
    for (const [index, part] of parts.entries()) {
      const found = namesIn(at).get(part.toLowerCase());
      if (index === parts.length - 1) return found?.kind;
      // What is not there is not remembered: there may be any number of such paths.
      if (found?.kind !== 'directory') return undefined;
      at = `${at}/${found.name}`;
    }
    return undefined;
  };
}

/** Returns the names on the way to a path; none when it leads out of the root. */
function partsOf(path: EspPath): readonly string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return [];
  }
  return parts;
}
