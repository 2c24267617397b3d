/** What a disk may hold after a power cut: rebuilt from its image and the log of what was written to it. */
import { closeSync, copyFileSync, openSync, readSync, writeSync } from 'node:fs';
import type { Random } from './random.ts';
import type { DiskRequest } from './write-log.ts';

const SECTOR = 512;

/** A stretch of bytes on the disk. */
interface Extent {
  readonly offset: number;
  readonly data: Uint8Array;
}

/** The writes between two flushes: until the second one, any subset of them may be on the disk. */
export type Epoch = readonly (Extent & { readonly isForced: boolean })[];

/** One moment at which power fails. */
export interface Cut {
  /** Says which moment it is, and what of the epoch's writes is there. */
  readonly name: string;
  readonly kind: 'prefix' | 'reordering';
}

/**
 * Divides a log at its flushes. A discard promises nothing about what is read afterwards, so it is no
 * change. Requests are logged when they are made: a write that another thread began just before a flush
 * counts as flushed, which the kernel itself would wait for where it relies on it.
 */
export function epochsOf(requests: readonly DiskRequest[]): Epoch[] {
  const epochs: (Extent & { readonly isForced: boolean })[][] = [[]];
  for (const request of requests) {
    if (request.kind === 'flush') epochs.push([]);
    else if (request.kind === 'write') epochs.at(-1)?.push(request);
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
  const file = openSync(image, 'r+');
  try {
    let count = 0;
    yield { name: 'before the first write', kind: 'prefix' };
    for (const [index, epoch] of epochs.entries()) {
      for (const { label, extents } of subsetsOf(epoch, samples, random)) {
        const undo = write(file, extents);
        yield { name: `epoch ${index + 1}: ${label}`, kind: 'reordering' };
        write(file, undo.reverse());
      }
      for (const extent of epoch) {
        write(file, [extent]);
        yield { name: `after write ${++count}`, kind: 'prefix' };
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Writes extents and returns what was there before, in the same order. */
function write(file: number, extents: readonly Extent[]): Extent[] {
  return extents.map(({ offset, data }) => {
    const old = new Uint8Array(data.length);
    readSync(file, old, 0, old.length, offset);
    writeSync(file, data, 0, data.length, offset);
    return { offset, data: old };
  });
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
function tear({ offset, data }: Extent, random: Random): Extent[] {
  const sectors = data.length / SECTOR;
  return Array.from({ length: 1 + random.below(8) }, () => {
    const from = random.below(sectors);
    const to = from + 1 + random.below(sectors - from);
    return { offset: offset + from * SECTOR, data: data.subarray(from * SECTOR, to * SECTOR) };
  });
}
