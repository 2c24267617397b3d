/** Whether a FAT is whole: every chain ends, and no two names lead to one cluster. Nothing is mended. */
import { isCluster, malformed } from './boot-sector.ts';
import { Directory, type Entry } from './directory.ts';
import { dataOffset, type Geometry, rootOffset } from './geometry.ts';
import { ATTRIBUTE } from './record.ts';
import { type Region, SLOT } from './region.ts';
import type { AllocationTable } from './table.ts';

/** What a FAT is read from. */
export interface Opened {
  readonly region: Region;
  readonly geometry: Geometry;
  readonly table: AllocationTable;
  /** First cluster of the root directory; 0 on FAT12 and FAT16. */
  readonly rootCluster: number;
  /** Its name in errors. */
  readonly name: string;
}

/** The most slots that a directory may have (FAT §Directory structure). */
export const MOST_SLOTS = 65_536;
/** No path of an ESP is as long, and none has as many directories: all of them are kept in memory. */
const DEEPEST = 64;
const MOST_DIRECTORIES = 65_536;

/** Returns where a cluster lies, in bytes. */
export function clusterOffset(cluster: number, geometry: Geometry): number {
  return dataOffset(geometry) + (cluster - 2) * clusterSize(geometry);
}

/** Returns the size of a cluster in bytes. */
export function clusterSize({ sectorsPerCluster, sectorSize }: Geometry): number {
  return sectorsPerCluster * sectorSize;
}

/**
 * Reads every directory, and follows every chain.
 * @throws {FAT_MALFORMED}
 */
export function readDirectories(opened: Opened): Directories {
  const { geometry, rootCluster, name } = opened;
  const seen = new Uint8Array(geometry.clusters + 2);
  const root =
    rootCluster === 0 ? readRoot(opened) : readDirectory(opened, name, rootCluster, seen);
  const directories = new Map([[rootCluster, root]]);
  const waiting = [{ path: name, directory: root, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, directory, depth } = next;
    if (depth > DEEPEST) throw malformed(path, `it lies more than ${DEEPEST} directories deep`);
    if (directories.size > MOST_DIRECTORIES) throw malformed(path, 'it has too many directories');
    for (const entry of directory.entries) {
      const at = `${path}/${entry.name}`;
      requireName(entry, path);
      if (isDirectory(entry)) {
        const below = readDirectory(opened, at, entry.cluster, seen);
        directories.set(entry.cluster, below);
        waiting.push({ path: at, directory: below, depth: depth + 1 });
      } else requireContent(opened, at, entry, seen);
    }
  }
  return { root, directories, seen };
}

/** The directories of a FAT, by their first cluster. */
export interface Directories {
  readonly root: Directory;
  readonly directories: Map<number, Directory>;
  /** 1 for each cluster that a name leads to. */
  readonly seen: Uint8Array;
}

export function isDirectory({ attributes }: Entry): boolean {
  return (attributes & ATTRIBUTE.directory) !== 0;
}

/** The root directory of FAT12 and FAT16 lies before the clusters. */
function readRoot({ region, geometry }: Opened): Directory {
  const offset = rootOffset(geometry);
  const bytes = Uint8Array.from(region.read(offset, geometry.rootSlots * SLOT));
  return new Directory([{ offset, bytes }], [], geometry);
}

function readDirectory(opened: Opened, path: string, first: number, seen: Uint8Array): Directory {
  const { region, geometry } = opened;
  const size = clusterSize(geometry);
  const clusters = follow(opened, path, first, seen);
  if ((clusters.length - 1) * size >= MOST_SLOTS * SLOT) {
    throw malformed(path, `it has ${clusters.length * size} bytes, and a directory never has`);
  }
  const extents = clusters.map((cluster) => {
    const offset = clusterOffset(cluster, geometry);
    return { offset, bytes: Uint8Array.from(region.read(offset, size)) };
  });
  return new Directory(extents, clusters, geometry);
}

/** A name with a slash would lead to another file than the one it is of. */
function requireName({ name }: Entry, path: string): void {
  if (name !== '' && !/[/\0]|^\.\.?$/.test(name)) return;
  throw malformed(path, `it holds ${JSON.stringify(name)}, which is no name`);
}

function requireContent(
  opened: Opened,
  path: string,
  { cluster, size }: Entry,
  seen: Uint8Array,
): void {
  const clusters = cluster === 0 ? [] : follow(opened, path, cluster, seen);
  if (clusters.length * clusterSize(opened.geometry) >= size) return;
  throw malformed(path, `it has ${size} bytes, and clusters for fewer: ${clusters.length}`);
}

/** Returns the clusters of a chain, and marks them. */
function follow(opened: Opened, path: string, first: number, seen: Uint8Array): number[] {
  const { table, geometry } = opened;
  const clusters: number[] = [];
  for (let cluster = first; ; ) {
    if (!isCluster(cluster, geometry)) throw malformed(path, `it leads to cluster ${cluster}`);
    if (seen[cluster] === 1) throw malformed(path, `its cluster ${cluster} is another one's too`);
    seen[cluster] = 1;
    clusters.push(cluster);
    const next = table.follow(cluster);
    if (next === 'end') return clusters;
    if (typeof next !== 'number') {
      throw malformed(path, `its cluster ${cluster} leads to one that is ${WORDS[next]}`);
    }
    cluster = next;
  }
}

const WORDS = { free: 'free', bad: 'bad', outside: 'not there' } as const;
