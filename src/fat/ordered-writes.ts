/**
 * Every write to a FAT, in an order that leaves it whole wherever power fails: content and tables
 * before the names that lead to them, and names gone before their clusters are given away.
 */
import { formatInfo } from './boot-sector.ts';
import type { Directory } from './directory.ts';
import type { Geometry } from './geometry.ts';
import type { Region } from './region.ts';
import type { AllocationTable } from './table.ts';

/** The bytes that one slot of a directory gets. */
export interface Change {
  readonly directory: Directory;
  readonly slot: number;
  readonly bytes: Uint8Array;
}

/** Where to write, and how. */
export interface Writing {
  readonly region: Region;
  readonly geometry: Geometry;
  readonly table: AllocationTable;
  /** The sector that counts free clusters; 0 where there is none. */
  readonly infoSector: number;
  /** Whether a barrier waits until everything before it is durable. */
  readonly durable: boolean;
}

/** The one writer of an open FAT. */
export class OrderedWrites {
  readonly #at: Writing;
  /** Clusters of removed names: free once the removal is durable. */
  #leaving: number[] = [];
  #isBegun = false;
  #isUnsynced = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(writing: Writing) {
    this.#at = writing;
  }

  /** Clusters that can be given away, now or after the next barrier. */
  get free(): number {
    return this.#at.table.free + this.#leaving.length;
  }

  /** Writes bytes to which no name leads yet. */
  write(offset: number, bytes: Uint8Array): void {
    if (!this.#isBegun) this.#begin();
    this.#attempt(() => this.#at.region.writeAt(offset, bytes));
    this.#isUnsynced = true;
  }

  /** Promises a free cluster; undefined when there is none. */
  take(): number | undefined {
    const { table } = this.#at;
    if (table.free === 0 && this.#leaving.length > 0) this.barrier();
    return table.take();
  }

  /** Takes back promises of clusters that nothing leads to. */
  giveBack(clusters: readonly number[]): void {
    this.#at.table.giveBack(clusters);
    this.#writeTable();
  }

  /** Frees clusters once what was written until now is durable. */
  leave(clusters: readonly number[]): void {
    this.#leaving.push(...clusters);
  }

  /** Makes chains of promised clusters, durably. Nothing leads to them yet. */
  link(chain: readonly number[]): void {
    this.#at.table.link(chain);
    this.#writeTable();
    // SAFETY: the chain and what it holds are durable, and no name leads there: power lost here costs
    // its clusters until a check of the file system, and boots are as before.
    this.barrier();
  }

  /** Puts a chain that is durable behind the last cluster of another one. */
  append(last: number, first: number): void {
    this.#at.table.join(last, first);
    this.#writeTable();
    // SAFETY: one entry of the table makes the chain longer, and it is in one sector.
    this.barrier();
  }

  /**
   * Makes changes, one stage after the other, each durable before the next. Stages that lie in one
   * sector are one: it is written or it is not.
   */
  change(stages: readonly (readonly Change[])[]): void {
    const some = stages.filter((stage) => stage.length > 0);
    for (const [index, stage] of some.entries()) {
      for (const { directory, slot, bytes } of stage) directory.put(slot, bytes);
      const next = some[index + 1];
      if (next !== undefined && this.#sectorsOf([...stage, ...next]).size === 1) continue;
      const sectors = [...this.#sectorsOf(stage)].sort(([a], [b]) => a - b);
      for (const [offset, bytes] of sectors) this.write(offset, bytes);
      // SAFETY: the names of this stage are durable before the next one relies on them.
      if (next !== undefined) this.barrier();
    }
  }

  /** Afterwards everything that was written before is durable, and left clusters are free. */
  barrier(): void {
    const { region, durable, table } = this.#at;
    if (!this.#isUnsynced && this.#leaving.length === 0) return;
    this.#writeInfo();
    if (durable && this.#isUnsynced) this.#attempt(() => region.sync());
    this.#isUnsynced = false;
    if (this.#leaving.length === 0) return;
    // SAFETY: no name that is on the disk leads to these clusters any more.
    table.giveBack(this.#leaving);
    this.#leaving = [];
    this.#writeTable();
  }

  /**
   * After one write that failed no other is done: what is in memory is ahead of the disk, and a later
   * write could lead to what never got there.
   */
  #attempt(write: () => void): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      write();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #sectorsOf(changes: readonly Change[]): Map<number, Uint8Array> {
    const { sectorSize } = this.#at.geometry;
    return new Map(
      changes.map(({ directory, slot }) => {
        const { offset, bytes } = directory.sectorAt(slot, sectorSize);
        return [offset, bytes];
      }),
    );
  }

  #writeTable(): void {
    const { table } = this.#at;
    for (const { offset, bytes } of table.changed()) this.write(offset, bytes);
  }

  /** Power lost between the two copies of a table leaves them different: the first one counts. */
  #begin(): void {
    this.#isBegun = true;
    const { table, region } = this.#at;
    for (const { offset, bytes } of table.unlike(region)) this.write(offset, bytes);
  }

  #writeInfo(): void {
    const { infoSector, geometry, table } = this.#at;
    if (infoSector === 0) return;
    this.write(
      infoSector * geometry.sectorSize,
      formatInfo({ free: this.free, next: table.nextFree }),
    );
  }
}
