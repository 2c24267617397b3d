/** A FAT in a region, as it is read: its names, and where the bytes of its files lie. */
import { EspError } from '../error.ts';
import { parseBootSector, parseInfo } from './boot-sector.ts';
import { clusterOffset, clusterSize, isDirectory, readDirectories } from './check.ts';
import type { Directory, Entry } from './directory.ts';
import type { Geometry } from './geometry.ts';
import type { Leads } from './record.ts';
import type { Region } from './region.ts';
import { keptName } from './short-name.ts';
import { AllocationTable } from './table.ts';

/** What a FAT is opened with. */
export interface Opening {
  readonly region: Region;
  /** Its name in errors. */
  readonly name: string;
  /** What the caller will do with it. One that is in use can still be read. */
  readonly access: 'read' | 'write';
}

/** A stretch of the region, in bytes. */
export interface Run {
  readonly offset: number;
  readonly length: number;
}

/** An open FAT. Paths are relative to its root, with slashes between names. */
export class FatVolume {
  readonly name: string;
  readonly region: Region;
  readonly geometry: Geometry;
  /** In bytes. */
  readonly clusterSize: number;
  readonly table: AllocationTable;
  /** The sector that counts free clusters; 0 where there is none. */
  readonly infoSector: number;
  /** Every directory, by its first cluster; that of the root of FAT12 and FAT16 is 0. */
  readonly directories: Map<number, Directory>;
  readonly root: Directory;

  /**
   * Opens a FAT, and makes sure that it is whole.
   * @throws {ESP_NOT_FAT} {FAT_MALFORMED}
   */
  constructor({ region, name, access }: Opening) {
    const boot = parseBootSector(region.read(0, 512), region.size, name);
    const { geometry, rootCluster } = boot;
    const info = parseInfo(region.read(boot.infoSector * geometry.sectorSize, 512));
    this.name = name;
    this.region = region;
    this.geometry = geometry;
    this.clusterSize = clusterSize(geometry);
    this.table = new AllocationTable(geometry, region, info?.next);
    this.infoSector = info === undefined ? 0 : boot.infoSector;
    if (access === 'write' && (boot.isDirty || this.table.isDirty)) throw inUse(name);
    const { root, directories, seen } = readDirectories({ ...this, rootCluster });
    this.table.reclaim(seen);
    this.root = root;
    this.directories = directories;
  }

  /** Returns what a path leads to: a file or directory, `root`, or undefined. */
  find(path: string): Entry | 'root' | undefined {
    let at: Directory | undefined = this.root;
    let entry: Entry | 'root' = 'root';
    for (const part of partsOf(path)) {
      const found: Entry | undefined = at?.find(keptName(part) ?? part);
      if (found === undefined) return undefined;
      entry = found;
      at = isDirectory(found) ? this.directories.get(found.cluster) : undefined;
    }
    return entry;
  }

  /** Returns a directory, or undefined when there is none of this name. */
  directory(path: string): Directory | undefined {
    const found = this.find(path);
    if (found === 'root') return this.root;
    return found && isDirectory(found) ? this.directories.get(found.cluster) : undefined;
  }

  /** Returns a file, or undefined when there is none of this name. */
  file(path: string): Entry | undefined {
    const found = this.find(path);
    return found === undefined || found === 'root' || isDirectory(found) ? undefined : found;
  }

  /** Returns the clusters of a file or directory. */
  chainOf({ cluster }: Pick<Leads, 'cluster'>): number[] {
    const clusters: number[] = [];
    for (let at = cluster; at !== 0; ) {
      clusters.push(at);
      const next = this.table.follow(at);
      if (typeof next !== 'number') break;
      at = next;
    }
    return clusters;
  }

  /** Returns where the first `size` bytes of clusters lie in the region. */
  runs(clusters: readonly number[], size: number): readonly Run[] {
    const runs: { offset: number; length: number }[] = [];
    let rest = size;
    for (const cluster of clusters) {
      const length = Math.min(this.clusterSize, rest);
      if (length === 0) break;
      const offset = clusterOffset(cluster, this.geometry);
      const last = runs.at(-1);
      if (last !== undefined && last.offset + last.length === offset) last.length += length;
      else runs.push({ offset, length });
      rest -= length;
    }
    return runs;
  }
}

/** Returns the names of a path, from the root on. */
export function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function inUse(name: string): EspError {
  return new EspError(
    'FAT_MALFORMED',
    `${name}: it is in use elsewhere, or was not unmounted: it is marked so`,
    {
      hint: 'end what uses it, such as a virtual machine; if nothing does, let fsck.fat check it and take the mark away',
    },
  );
}
