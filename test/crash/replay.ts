/** What a disk may hold after a power cut: rebuilt from its image and the log of what was written to it. */
import { closeSync, copyFileSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Random } from './random.ts';
import type { Numbered } from './tree.ts';
import type { DiskRequest } from './write-log.ts';

const SECTOR = 512;

/** A stretch of bytes on the disk, whole sectors, by the number of the write that put them there, from 1. */
interface Extent {
  readonly offset: number;
  readonly data: Uint8Array;
  readonly number: number;
}

/** The writes between two flushes: until the second one, any subset of them may be on the disk. */
export type Epoch = readonly (Extent & { readonly isForced: boolean })[];

/** One moment at which power fails. */
export interface Cut {
  /** Says which moment it is, and what of the epoch's writes is there. */
  readonly name: string;
  readonly kind: 'prefix' | 'reordering';
  /** What the disk then holds, until the next cut. Sectors have the numbers of the writes they are from. */
  readonly disk: Numbered;
}

/**
 * Divides a log at its flushes. A discard promises nothing about what is read afterwards, so it is no
 * change. Requests are logged when they are made: a write that another thread began just before a flush
 * counts as flushed, which the kernel itself would wait for where it relies on it.
 */
export function epochsOf(requests: readonly DiskRequest[]): Epoch[] {
  const epochs: (Extent & { readonly isForced: boolean })[][] = [[]];
  let number = 0;
  for (const request of requests) {
    if (request.kind === 'flush') epochs.push([]);
    else if (request.kind === 'write') epochs.at(-1)?.push({ ...request, number: ++number });
  }
  return epochs.filter(({ length }) => length > 0);
}

/**
 * Rebuilds in `image`, a copy of `before`, everything that the disk may have held, and stops at each cut
 * for as long as the caller looks: first every prefix of the log, and within each epoch up to `samples`
 * other subsets of its writes, some with sectors missing in the middle of a write.
 */
export function* replay(
  before: string,
  image: string,
  epochs: readonly Epoch[],
  { samples, random }: { samples: number; random: Random },
): Generator<Cut> {
  copyFileSync(before, image);
  const scratch = new Scratch(image);
  const { disk } = scratch;
  try {
    let count = 0;
    yield { name: 'before the first write', kind: 'prefix', disk };
    for (const [index, epoch] of epochs.entries()) {
      for (const { label, extents } of subsetsOf(epoch, samples, random)) {
        const undo = scratch.write(extents);
        yield { name: `epoch ${index + 1}: ${label}`, kind: 'reordering', disk };
        undo();
      }
      for (const extent of epoch) {
        scratch.write([extent]);
        yield { name: `after write ${++count}`, kind: 'prefix', disk };
      }
    }
  } finally {
    scratch.close();
  }
}

/** An image that is patched in its file and in memory alike. */
class Scratch {
  readonly disk: Numbered;
  readonly #file: number;

  constructor(image: string) {
    const bytes = new Uint8Array(readFileSync(image));
    this.disk = { bytes, sectors: new Uint32Array(Math.ceil(bytes.length / SECTOR)) };
    this.#file = openSync(image, 'r+');
  }

  /** Writes extents and returns what undoes that. */
  write(extents: readonly Extent[]): () => void {
    const { bytes, sectors } = this.disk;
    const old = extents.map(({ offset, data, number }) => {
      const [first, end] = [offset / SECTOR, (offset + data.length) / SECTOR];
      const was = {
        offset,
        data: bytes.slice(offset, offset + data.length),
        numbers: sectors.slice(first, end),
      };
      this.#put(offset, data);
      sectors.fill(number, first, end);
      return was;
    });
    return () => {
      for (const { offset, data, numbers } of old.reverse()) {
        this.#put(offset, data);
        sectors.set(numbers, offset / SECTOR);
      }
    };
  }

  close(): void {
    closeSync(this.#file);
  }

  #put(offset: number, data: Uint8Array): void {
    this.disk.bytes.set(data, offset);
    writeSync(this.#file, data, 0, data.length, offset);
  }
}

interface Subset {
  readonly label: string;
  readonly extents: readonly Extent[];
}

/** An epoch of so few writes has all its subsets looked at. */
const EXHAUSTIVE = 5;

/** Returns subsets of an epoch's writes that are no prefixes of it, whole writes first, then torn ones. */
function* subsetsOf(epoch: Epoch, samples: number, random: Random): Generator<Subset> {
  const seen = new Set<string>();
  const isNew = (label: string): boolean => !seen.has(label) && Boolean(seen.add(label));
  const whole = epoch.length <= EXHAUSTIVE ? allMasks(epoch.length) : undefined;
  for (let sample = 0; sample < samples; sample++) {
    const isTorn = sample % 3 === 2;
    const mask = whole?.[sample] ?? epoch.map(() => random.coin());
    const subset =
      isTorn || (whole && sample >= whole.length)
        ? tornSubset(epoch, random)
        : wholeSubset(epoch, mask);
    if (subset !== undefined && isNew(subset.label)) yield subset;
  }
}

/** Returns every choice among so many writes. */
function allMasks(length: number): boolean[][] {
  return Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (__, index) => ((bits >> index) & 1) === 1),
  );
}

/** Returns the chosen writes and those that cannot be missing, or undefined when they are a prefix. */
function wholeSubset(epoch: Epoch, mask: readonly boolean[]): Subset | undefined {
  const last = mask.lastIndexOf(true);
  const chosen = epoch.map(
    ({ isForced }, index) => mask[index] === true || (isForced && index < last),
  );
  if (chosen.lastIndexOf(true) < chosen.indexOf(false) || !chosen.includes(false)) return undefined;
  return {
    label: `writes ${chosen.map((isThere) => (isThere ? 1 : 0)).join('')}`,
    extents: epoch.filter((_, index) => chosen[index]),
  };
}

/** Returns a subset in which each write is there, missing, or there with some of its sectors. */
function tornSubset(epoch: Epoch, random: Random): Subset {
  const end = 1 + random.below(epoch.length);
  const parts = epoch.slice(0, end).map((extent) => {
    const fate = extent.isForced
      ? 'whole'
      : (['whole', 'missing', 'torn'] as const)[random.below(3)];
    const kept = fate === 'torn' ? tear(extent, random) : fate === 'whole' ? [extent] : [];
    return { fate, kept };
  });
  const fates = parts.map(({ fate }) => fate?.[0]).join('');
  return {
    label: `torn ${fates} (${parts.reduce((sum, { kept }) => sum + bytes(kept), 0)} bytes)`,
    extents: parts.flatMap(({ kept }) => kept),
  };
}

function bytes(extents: readonly Extent[]): number {
  return extents.reduce((sum, { data }) => sum + data.length, 0);
}

/** A disk writes whole sectors; of a longer write it may have done any. Returns up to eight runs of them. */
function tear({ offset, data, number }: Extent, random: Random): Extent[] {
  const sectors = data.length / SECTOR;
  return Array.from({ length: 1 + random.below(8) }, () => {
    const from = random.below(sectors);
    const to = from + 1 + random.below(sectors - from);
    return {
      offset: offset + from * SECTOR,
      data: data.subarray(from * SECTOR, to * SECTOR),
      number,
    };
  });
}
