/** The allocation table: which cluster follows which, and which are free (FAT §FAT Data Structure). */
import { isCluster } from './boot-sector.ts';
import type { FatBits, Geometry } from './geometry.ts';
import type { Region } from './region.ts';

/** What an entry says besides a next cluster, by the kind of FAT. */
const MARKS: Readonly<Record<FatBits, { readonly bad: number; readonly end: number }>> = {
  12: { bad: 0xff7, end: 0xff8 },
  16: { bad: 0xfff7, end: 0xfff8 },
  32: { bad: 0x0fff_fff7, end: 0x0fff_fff8 },
};
/** What mkfs.fat and the kernel write behind the last cluster of a chain. */
const ENDS: Readonly<Record<FatBits, number>> = { 12: 0xfff, 16: 0xffff, 32: 0x0fff_ffff };

/** What follows a cluster: another one, nothing more, or what no chain may lead to. */
export type Next = number | 'end' | 'free' | 'bad' | 'outside';

/** Bytes of the table, and where they go, in bytes. */
export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The table of a FAT in memory. Whoever changes it writes what {@link changed} yields. */
export class AllocationTable {
  readonly #geometry: Geometry;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** 1 for each cluster that cannot be given away: in use, promised, or about to be free. */
  readonly #taken: Uint8Array;
  readonly #dirty = new Set<number>();
  #free = 0;
  #next: number;

  constructor(geometry: Geometry, region: Region, next = 2) {
    this.#geometry = geometry;
    this.#bytes = Uint8Array.from(region.read(this.#offset(0), this.#size));
    this.#view = new DataView(this.#bytes.buffer);
    this.#taken = new Uint8Array(geometry.clusters + 2).fill(1, 0, 2);
    this.#next = isCluster(next, geometry) ? next : 2;
    for (let cluster = 2; cluster < geometry.clusters + 2; cluster++) {
      if (this.#get(cluster) === 0) this.#free++;
      else this.#taken[cluster] = 1;
    }
  }

  /** Clusters that can be given away. */
  get free(): number {
    return this.#free;
  }

  /** Where the search for a free cluster begins. */
  get nextFree(): number {
    return this.#next;
  }

  /** Whether the table itself says that the file system was not left properly, or that its disk failed. */
  get isDirty(): boolean {
    const { bits } = this.#geometry;
    if (bits === 12) return false;
    const clean = bits === 16 ? 0xc000 : 0x0c00_0000;
    return (this.#get(1) & clean) !== clean;
  }

  /** Returns what follows a cluster. */
  follow(cluster: number): Next {
    const value = this.#get(cluster);
    const { bad, end } = MARKS[this.#geometry.bits];
    if (value >= end) return 'end';
    if (value === 0) return 'free';
    if (value === bad) return 'bad';
    return isCluster(value, this.#geometry) ? value : 'outside';
  }

  /** Promises a free cluster, the first behind the one before. Undefined when there is none. */
  take(): number | undefined {
    if (this.#free === 0) return undefined;
    const last = this.#geometry.clusters + 2;
    for (let tries = 2; tries < last; tries++) {
      const cluster = this.#next;
      this.#next = cluster + 1 === last ? 2 : cluster + 1;
      if (this.#taken[cluster] === 1) continue;
      this.#taken[cluster] = 1;
      this.#free--;
      return cluster;
    }
    return undefined;
  }

  /** Takes a promise back: nothing leads to these clusters, in the table or elsewhere. */
  giveBack(clusters: readonly number[]): void {
    for (const cluster of clusters) {
      if (this.#get(cluster) !== 0) this.#set(cluster, 0);
      this.#taken[cluster] = 0;
      this.#free++;
    }
  }

  /** Makes a chain of clusters. */
  link(clusters: readonly number[]): void {
    for (const [index, cluster] of clusters.entries()) {
      this.#set(cluster, clusters[index + 1] ?? ENDS[this.#geometry.bits]);
    }
  }

  /** Makes a cluster lead to another one. */
  join(last: number, first: number): void {
    this.#set(last, first);
  }

  /**
   * Frees clusters that are in use and that no name leads to: a run of ours that was killed leaves
   * some. On the disk they are free with the next change of their sector.
   */
  reclaim(seen: Uint8Array): void {
    for (let cluster = 2; cluster < this.#geometry.clusters + 2; cluster++) {
      const isLost = this.#taken[cluster] === 1 && seen[cluster] !== 1;
      if (isLost && this.follow(cluster) !== 'bad') this.giveBack([cluster]);
    }
  }

  /** Yields the sectors that changed since the last call, for every copy of the table. */
  *changed(): Generator<Piece> {
    const { copies, sectorSize } = this.#geometry;
    const sectors = [...this.#dirty].sort((a, b) => a - b);
    this.#dirty.clear();
    for (let copy = 0; copy < copies; copy++) {
      for (const sector of sectors) yield this.#piece(copy, sector * sectorSize);
    }
  }

  /** Yields the sectors in which another copy differs from the first. */
  *unlike(region: Region): Generator<Piece> {
    const { copies, sectorSize } = this.#geometry;
    for (let copy = 1; copy < copies; copy++) {
      const there = region.read(this.#offset(copy), this.#size);
      for (let at = 0; at < this.#size; at += sectorSize) {
        const piece = this.#piece(copy, at);
        if (Buffer.compare(piece.bytes, there.subarray(at, at + sectorSize)) !== 0) yield piece;
      }
    }
  }

  #piece(copy: number, at: number): Piece {
    const bytes = this.#bytes.subarray(at, at + this.#geometry.sectorSize);
    return { offset: this.#offset(copy) + at, bytes };
  }

  get #size(): number {
    return this.#geometry.tableSectors * this.#geometry.sectorSize;
  }

  /** Returns where a copy begins, in bytes. */
  #offset(copy: number): number {
    const { reserved, sectorSize } = this.#geometry;
    return reserved * sectorSize + copy * this.#size;
  }

  #get(cluster: number): number {
    switch (this.#geometry.bits) {
      case 32:
        return this.#view.getUint32(cluster * 4, true) & 0x0fff_ffff;
      case 16:
        return this.#view.getUint16(cluster * 2, true);
      case 12: {
        const pair = this.#view.getUint16(cluster + (cluster >> 1), true);
        return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
      }
    }
  }

  #set(cluster: number, value: number): void {
    const at = Math.floor((cluster * this.#geometry.bits) / 8);
    switch (this.#geometry.bits) {
      case 32: {
        // The four upper bits are not of the entry (FAT §FAT entry values).
        const upper = this.#view.getUint32(at, true) & 0xf000_0000;
        this.#view.setUint32(at, (upper | value) >>> 0, true);
        break;
      }
      case 16:
        this.#view.setUint16(at, value, true);
        break;
      case 12: {
        const pair = this.#view.getUint16(at, true);
        const [mask, bits] = cluster % 2 === 0 ? [0xf000, value] : [0x000f, value << 4];
        this.#view.setUint16(at, (pair & mask) | bits, true);
        this.#dirty.add(Math.floor((at + 1) / this.#geometry.sectorSize));
      }
    }
    this.#dirty.add(Math.floor(at / this.#geometry.sectorSize));
  }
}
