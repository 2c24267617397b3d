/** Files of a FAT: one that is read, and one in the making. */
import { EspError } from '../error.ts';
import type { Entry } from '../fat/directory.ts';
import type { FatVolume, Run } from '../fat/volume.ts';
import type { FatWriter } from '../fat/writer.ts';
import type { NewFile, OpenFile } from './disk.ts';

/** Opens a file of a FAT for reading. */
export function openFatFile(volume: FatVolume, path: string, entry: Entry): OpenFile {
  const { size } = entry;
  const runs = volume.runs(volume.chainOf(entry), size);
  let isOpen = true;
  const within = (offset: number, length: number) => Math.max(0, Math.min(length, size - offset));
  const readInto = (offset: number, memory: Uint8Array): Uint8Array => {
    if (!isOpen) throw new Error(`${path} is read after it was closed`);
    const part = memory.subarray(0, within(offset, memory.length));
    for (const { at, offset: from, length } of piecesOf(runs, offset, part.length)) {
      const got = volume.region.readInto(from, part.subarray(at, at + length));
      if (got.length < length) throw new EspError('IO', `cannot read ${path}: its disk ends`);
    }
    return part;
  };
  return {
    size,
    readInto,
    read: (offset, length) => readInto(offset, new Uint8Array(within(offset, length))),
    [Symbol.dispose]: () => {
      isOpen = false;
    },
  };
}

/** A piece of a file: where it lies in the region, and where in what is read or written. */
interface Piece extends Run {
  readonly at: number;
}

/** Returns the pieces of `length` bytes from `offset` on. */
function* piecesOf(runs: readonly Run[], offset: number, length: number): Generator<Piece> {
  let start = 0;
  for (const run of runs) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + run.length);
    if (from < to) {
      yield { at: from - offset, offset: run.offset + from - start, length: to - from };
    }
    start += run.length;
  }
}

/** Returns two lists of runs as one. */
function joined(runs: readonly Run[], more: readonly Run[]): readonly Run[] {
  const [last, next] = [runs.at(-1), more[0]];
  if (last === undefined || next === undefined) return [...runs, ...more];
  if (last.offset + last.length !== next.offset) return [...runs, ...more];
  const both = { offset: last.offset, length: last.length + next.length };
  return [...runs.slice(0, -1), both, ...more.slice(1)];
}

/**
 * Makes a file. Its content goes to clusters that nothing leads to; its name leads to them once all of
 * it is durable.
 */
export function newFatFile(writer: FatWriter, path: string): NewFile {
  const slot = writer.create(path);
  const { volume } = writer;
  const { clusterSize } = volume;
  const clusters: number[] = [];
  let runs: readonly Run[] = [];
  let size = 0;
  let isOpen = true;
  const put = (offset: number, bytes: Uint8Array): void => {
    for (const piece of piecesOf(runs, offset, bytes.length)) {
      writer.writeContent(piece.offset, bytes.subarray(piece.at, piece.at + piece.length));
    }
  };
  const write = (bytes: Uint8Array): void => {
    const wanted = Math.ceil((size + bytes.length) / clusterSize);
    const more = writer.takeClusters(Math.max(0, wanted - clusters.length), path);
    clusters.push(...more);
    runs = joined(runs, volume.runs(more, more.length * clusterSize));
    put(size, bytes);
    size += bytes.length;
  };
  /** What is left of the last cluster is cleared: it held something of another file. */
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    if (clusters.length === 0) return;
    put(size, new Uint8Array(clusters.length * clusterSize - size));
    writer.fill(path, slot, clusters, size);
  };
  return {
    write: async (bytes) => write(bytes),
    async writeAt(offset, bytes) {
      if (offset + bytes.length > size) throw new RangeError(`${path}: ${offset} is not written`);
      put(offset, bytes);
    },
    async finish() {
      close();
      // SAFETY: nothing boots from a file in the making. Boots: as before.
      writer.barrier();
    },
    abandon: async () => close(),
  };
}
