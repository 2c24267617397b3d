/** Changes names and files of an open FAT. Each change is written at once, and is whole or absent. */
import { EspError } from '../error.ts';
import { clusterOffset, isDirectory, MOST_SLOTS } from './check.ts';
import { Directory, type Entry } from './directory.ts';
import { appearing, closedSlots, newDirectory, slotsFor, vanishing } from './naming.ts';
import { type Change, OrderedWrites } from './ordered-writes.ts';
import { ATTRIBUTE, type Leads, UNUSED, writeLeads } from './record.ts';
import { SLOT } from './region.ts';
import { keptName } from './short-name.ts';
import { type FatVolume, partsOf } from './volume.ts';

/** How a FAT is written to. */
export interface Manner {
  /** Seconds since the epoch: the time of everything that is written. */
  readonly epoch: number;
  /** Whether a barrier waits until everything before it is durable. */
  readonly durable: boolean;
}

const NAMES = 'give it a name without any of "*/:<>?\\| and without a dot or a space at its end';
const ALIKE = 'names that differ in upper and lower case alone are one on FAT: rename one of them';

/** Where a name is, or could be. */
interface Place {
  readonly path: string;
  readonly parent: Directory;
  readonly name: string;
  readonly entry: Entry | undefined;
}

/** The slots of a new name, and the first of them in its directory. */
interface NewName {
  readonly first: number;
  readonly slots: readonly Uint8Array[];
}

/** The one that changes an open FAT. Whoever holds it sees each change at once. */
export class FatWriter {
  readonly volume: FatVolume;
  readonly #epoch: number;
  readonly #writes: OrderedWrites;

  constructor(volume: FatVolume, { epoch, durable }: Manner) {
    const { region, geometry, table, infoSector } = volume;
    this.volume = volume;
    this.#epoch = epoch;
    this.#writes = new OrderedWrites({ region, geometry, table, infoSector, durable });
  }

  /** Bytes that can be given away. */
  get free(): number {
    return this.#writes.free * this.volume.clusterSize;
  }

  /** Promises clusters for content: all of them or none. @throws {ESP_FULL} */
  takeClusters(count: number, path: string): readonly number[] {
    const clusters: number[] = [];
    while (clusters.length < count) {
      const cluster = this.#writes.take();
      if (cluster === undefined) {
        this.#writes.giveBack(clusters);
        throw this.#full(path, 'no cluster is free');
      }
      clusters.push(cluster);
    }
    return clusters;
  }

  /** Writes content to promised clusters, or over that of a file. */
  writeContent(offset: number, bytes: Uint8Array): void {
    this.#writes.write(offset, bytes);
  }

  /** Makes an empty file, and returns the slot of its record. @throws {IO} {ESP_FULL} */
  create(path: string): number {
    const place = this.#newPlace(path, 'create');
    const { first, slots } = this.#slots(place, this.#leads(ATTRIBUTE.archive, 0, 0), 'create');
    // An empty file that shows its alias alone harms nobody, so its name appears in one stage.
    this.#writes.change([appearing(place.parent, first, slots).flat()]);
    return first + slots.length - 1;
  }

  /**
   * Gives an empty file its content: promised clusters, durable before its name leads to them.
   * @param slot of its record, as {@link create} returned it
   * @throws {IO} when the file was removed or renamed meanwhile
   */
  fill(path: string, slot: number, clusters: readonly number[], size: number): void {
    const place = this.#place(path);
    if (place?.entry?.slot !== slot) {
      this.#writes.giveBack(clusters);
      throw this.#error('write', path, 'it was removed meanwhile');
    }
    this.#writes.link(clusters);
    const leads = this.#leads(ATTRIBUTE.archive, clusters[0] ?? 0, size);
    this.#writes.change([[leading(place.parent, place.entry, leads)]]);
  }

  /** Makes one directory, durably. @throws {IO} {ESP_FULL} */
  makeDirectory(path: string): void {
    const { geometry, clusterSize, root, directories } = this.volume;
    const place = this.#newPlace(path, 'make the directory');
    const [cluster = 0] = this.takeClusters(1, path);
    const leads = this.#leads(ATTRIBUTE.directory, cluster, 0);
    const { first, slots } = this.#unlessFull([cluster], () =>
      this.#slots(place, leads, 'make the directory'),
    );
    const above = place.parent === root ? 0 : (place.parent.clusters[0] ?? 0);
    const bytes = newDirectory(leads, above, clusterSize);
    const offset = clusterOffset(cluster, geometry);
    this.#writes.write(offset, bytes);
    this.#writes.link([cluster]);
    directories.set(cluster, new Directory([{ offset, bytes }], [cluster], geometry));
    this.#writes.change(appearing(place.parent, first, slots));
    this.barrier();
  }

  /**
   * Renames a file, also over another one. The old name goes before the new one leads to the content,
   * so the clusters never have two names. Power lost between the two costs the content of the old
   * name; the new name leads to what it led to before.
   * @throws {IO} {ESP_FULL}
   */
  rename(from: string, to: string): void {
    const source = this.#place(from);
    const { entry } = source ?? {};
    if (source === undefined || entry === undefined || isDirectory(entry)) {
      throw this.#error('rename', from, 'there is no such file');
    }
    const target = this.#place(to);
    const [record, parts] = vanishing(source.parent, entry);
    if (target?.entry === undefined) {
      const place = this.#newPlace(to, 'rename');
      const { first, slots } = this.#slots(place, entry, 'rename');
      const [newParts, newRecord] = appearing(place.parent, first, slots);
      this.#writes.change([record, [...parts, ...newParts], newRecord]);
      return;
    }
    if (isDirectory(target.entry)) throw this.#error('rename', to, 'it is a directory');
    if (target.parent === source.parent && target.entry.slot === entry.slot) return;
    const old = this.volume.chainOf(target.entry);
    this.#writes.change([record, parts, [leading(target.parent, target.entry, entry)]]);
    this.#writes.leave(old);
  }

  /** Removes a file or a directory; what is in a directory goes with it. */
  remove(path: string): void {
    const place = this.#place(path);
    if (place?.entry === undefined) return;
    const clusters = this.#clustersBelow(place.entry);
    this.#writes.change(vanishing(place.parent, place.entry));
    this.#writes.leave(clusters);
  }

  /**
   * Grows a directory to at least so many slots, and uses each free one once: it does not grow while
   * it holds names that boot, and a lost sector of it hides no others. Where it cannot grow, its own
   * slots are used all the same.
   * @throws {IO} when it is no directory
   */
  useSlots(path: string, atLeast: number): void {
    const directory = this.volume.directory(path);
    if (directory === undefined) throw this.#error('grow', path, 'there is no such directory');
    try {
      this.#grow(directory, atLeast, path);
    } catch (error) {
      if (!(error instanceof EspError && error.code === 'ESP_FULL')) throw error;
    }
    const bytes = closedSlots(SLOT);
    const all = Array.from({ length: directory.slots }, (_, slot) => slot);
    const unused = all.filter((slot) => directory.slot(slot)[0] === UNUSED);
    this.#writes.change([unused.map((slot) => ({ directory, slot, bytes }))]);
    this.barrier();
  }

  /** Afterwards everything that was written before is durable. */
  barrier(): void {
    // SAFETY: this only carries out. The plan that calls it says what boots.
    this.#writes.barrier();
  }

  /** Returns where a path is, or undefined when its directory is none. */
  #place(path: string): Place | undefined {
    const parts = partsOf(path);
    const last = parts.pop() ?? '';
    const parent = this.volume.directory(parts.join('/'));
    const name = keptName(last) ?? last;
    return parent && { path, parent, name, entry: parent.find(name) };
  }

  #newPlace(path: string, operation: string): Place {
    const place = this.#place(path);
    if (place === undefined) throw this.#error(operation, path, 'there is no such directory');
    if (keptName(place.name) === undefined) {
      throw this.#error(operation, path, 'FAT has no such names', NAMES);
    }
    if (place.entry !== undefined) throw this.#error(operation, path, 'it exists', ALIKE);
    return place;
  }

  /** Finds room for a new name. A directory grows where it has none. */
  #slots({ path, parent, name }: Place, leads: Leads, operation: string): NewName {
    const slots = slotsFor(parent, name, { ...leads, written: this.#epoch });
    if (slots === undefined) {
      throw this.#error(operation, path, 'another file has its short name', ALIKE);
    }
    const first = parent.freeSlots(slots.length);
    this.#grow(parent, first + slots.length, path);
    return { first, slots };
  }

  /** Makes a directory longer, to at least so many slots. One entry of the table makes it so. */
  #grow(directory: Directory, slots: number, path: string): void {
    const last = directory.clusters.at(-1);
    if (slots <= directory.slots) return;
    if (last === undefined || slots > MOST_SLOTS) {
      throw this.#full(path, 'its directory has no room for more names');
    }
    const { clusterSize, geometry } = this.volume;
    const count = Math.ceil(((slots - directory.slots) * SLOT) / clusterSize);
    const clusters = this.takeClusters(count, path);
    const extents = clusters.map((cluster) => ({
      offset: clusterOffset(cluster, geometry),
      bytes: closedSlots(clusterSize),
    }));
    for (const { offset, bytes } of extents) this.#writes.write(offset, bytes);
    this.#writes.link(clusters);
    this.#writes.append(last, clusters[0] ?? last);
    for (const [index, extent] of extents.entries()) directory.grow(clusters[index] ?? 0, extent);
  }

  #clustersBelow(entry: Entry): number[] {
    const own = this.volume.chainOf(entry);
    const { directories } = this.volume;
    const directory = isDirectory(entry) ? directories.get(entry.cluster) : undefined;
    if (directory === undefined) return own;
    directories.delete(entry.cluster);
    return [...own, ...directory.entries.flatMap((each) => this.#clustersBelow(each))];
  }

  #unlessFull<T>(clusters: readonly number[], run: () => T): T {
    try {
      return run();
    } catch (error) {
      this.#writes.giveBack(clusters);
      throw error;
    }
  }

  #leads(attributes: number, cluster: number, size: number): Leads {
    return { attributes, cluster, size, written: this.#epoch };
  }

  #error(operation: string, path: string, why: string, hint?: string): EspError {
    return new EspError('IO', `cannot ${operation} ${this.volume.name}/${path}: ${why}`, { hint });
  }

  #full(path: string, why: string): EspError {
    return new EspError('ESP_FULL', `cannot write ${this.volume.name}/${path}: ${why}`, {
      hint: 'list what holds the space with `espalier list`, free it with `espalier gc`',
    });
  }
}

/** Returns the change after which a name leads elsewhere: one sector. */
function leading(directory: Directory, { slot }: Entry, leads: Leads): Change {
  const bytes = Uint8Array.from(directory.slot(slot));
  writeLeads(bytes, leads);
  return { directory, slot, bytes };
}
