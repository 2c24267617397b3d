/** A disk that shows two file systems as one tree. */
import type { DirectoryEntry, Disk, WritableDisk } from './disk.ts';

/**
 * Returns the places of a path: one, or every place of a directory that several file systems share.
 * A path that `places` does not know leads to itself.
 */
export type Places = (path: string) => readonly string[];

/**
 * Returns a disk that reads through `places`. Writes go to the host unchanged: writers know the
 * place.
 */
export function joinedDisk(host: WritableDisk, places: Places): WritableDisk {
  const first = (path: string) => places(path)[0] ?? path;
  /** Of a directory's places, returns the one that is no directory, else the first that exists. */
  const found = (look: Disk['stat']) => (path: string) => {
    const stats = places(path).flatMap((place) => look(place) ?? []);
    return stats.find(({ kind }) => kind !== 'directory') ?? stats[0];
  };
  const reading: Disk = {
    stat: found((path) => host.stat(path)),
    linkStat: found((path) => host.linkStat(path)),
    list: (path) => {
      const lists = places(path).map((place) => listIn(host, place, path, places));
      const present = lists.filter((list) => list !== undefined);
      if (present.length === 0) return undefined;
      const entries = new Map(present.flat().map((entry) => [entry.name, entry]));
      return [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    readLink: (path) => host.readLink(first(path)),
    realPath: (path) => host.realPath(first(path)),
    read: (path, limit) => host.read(first(path), limit),
    open: (path) => host.open(first(path)),
    fileSystem: (path) => host.fileSystem(first(path)),
    hostPath: (path) => host.hostPath(first(path)),
  };
  return { ...host, ...reading };
}

/** Lists one place of a directory. It leaves out names whose path in the tree leads elsewhere. */
function listIn(
  host: Disk,
  place: string,
  path: string,
  places: Places,
): readonly DirectoryEntry[] | undefined {
  return host
    .list(place)
    ?.filter(({ name }) => places(`${path}/${name}`).includes(`${place}/${name}`));
}
