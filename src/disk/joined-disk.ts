/** A disk on which some paths lead elsewhere, so that two file systems look like one tree. */
import type { DirectoryEntry, Disk, WritableDisk } from './disk.ts';

/**
 * Returns where a path leads: to one place, or as a directory that is in several to each of them.
 * Whatever `places` knows nothing of leads to itself.
 */
export type Places = (path: string) => readonly string[];

/** Returns a disk that is read through `places`. Writing is as on the host: who writes knows where. */
export function joinedDisk(host: WritableDisk, places: Places): WritableDisk {
  const first = (path: string) => places(path)[0] ?? path;
  /** Of a directory in several places that of which one is no directory, else the first that is there. */
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

/** Lists one place of a directory; what is there under a path that leads elsewhere is not in the tree. */
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
