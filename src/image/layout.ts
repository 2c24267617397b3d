/** Where partitions lie, as systemd-repart places them on an empty disk. Offsets and sizes in bytes. */

import { EspError } from '../error.ts';
import { backupSize } from '../gpt/format-table.ts';
import { exactSize, formatSize } from '../quantity.ts';
import type { Extent } from './definition.ts';

/** A partition to place: bounds that its content and its definition give. */
export interface Wish {
  /** In errors. */
  readonly name: string;
  /** What it needs at least. */
  readonly need: number;
  /** `min` is what its definition asks for. */
  readonly size: Extent;
  readonly padding: Extent;
}

/** Where a partition lies, and the free space behind it. */
export interface Place {
  readonly offset: number;
  readonly size: number;
  readonly padding: number;
}

export interface Layout {
  /** Of the whole disk. */
  readonly size: number;
  readonly places: readonly Place[];
}

/** Every start and size is a multiple of this. */
export const GRAIN = 4096;
/** Where the first partition begins. */
export const FIRST = 1024 * 1024;

export function roundUp(value: number, unit = GRAIN): number {
  return Math.ceil(value / unit) * unit;
}

function roundDown(value: number, unit = GRAIN): number {
  return Math.floor(value / unit) * unit;
}

/**
 * Places partitions one behind the other. What is left over on a disk of a given size goes to those
 * that may grow, by their weights.
 * @param size of the disk in bytes, rounded up to the grain; `auto` for as small as can be
 * @param unit what such a disk is a multiple of, in bytes
 * @throws {IMAGE_FULL} when they do not fit
 */
export function layOut(
  wishes: readonly Wish[],
  size: number | 'auto',
  sectorSize: number,
  unit = GRAIN,
): Layout {
  const needed = wishes.reduce((sum, wish) => sum + minSize(wish) + minPadding(wish), 0);
  const smallest = roundUp(FIRST + needed + backupSize(sectorSize), unit);
  const total = size === 'auto' ? smallest : roundUp(size);
  const free = roundDown(total - backupSize(sectorSize)) - FIRST;
  if (free < needed) throw tooSmall(wishes, total, smallest);
  return { size: total, places: placed(grown(wishes, free)) };
}

/** Sizes before they have a place. */
interface Grown {
  size: number | undefined;
  padding: number | undefined;
}

/** Returns the size of a partition that gets nothing of what is left over. */
export function minSize({ need, size: { min = 0 } }: Wish): number {
  return Math.max(roundUp(need), roundUp(min), GRAIN);
}
function maxSize(wish: Wish): number {
  const { max } = wish.size;
  return max === undefined ? Number.MAX_SAFE_INTEGER : Math.max(minSize(wish), roundDown(max));
}
function minPadding({ padding: { min = 0 } }: Wish): number {
  return roundDown(min);
}
function maxPadding(wish: Wish): number {
  const { max } = wish.padding;
  return max === undefined ? Number.MAX_SAFE_INTEGER : Math.max(minPadding(wish), roundDown(max));
}

/** Who needs more than its share, then who can take less, then everyone by weight. */
const PHASES = ['more', 'less', 'share'] as const;

function grown(wishes: readonly Wish[], free: number): readonly Required<Grown>[] {
  const sizes = wishes.map((): Grown => ({ size: undefined, padding: undefined }));
  const rest = {
    span: free,
    weight: wishes.reduce((sum, { size, padding }) => sum + size.weight + padding.weight, 0),
  };
  for (const phase of PHASES) {
    while (settle(wishes, sizes, rest, phase) && phase !== 'share');
  }
  for (const [index, wish] of wishes.entries()) {
    const own = sizes[index];
    if (own?.size === undefined) continue;
    const more = Math.min(rest.span, maxSize(wish) - own.size);
    own.size += more;
    rest.span -= more;
  }
  return sizes;
}

/** Fixes the sizes that a phase can fix. Returns whether one was, so that the shares of the others changed. */
function settle(
  wishes: readonly Wish[],
  sizes: readonly Grown[],
  rest: { span: number; weight: number },
  phase: (typeof PHASES)[number],
): boolean {
  let changed = false;
  for (const [index, wish] of wishes.entries()) {
    const own = sizes[index];
    if (own === undefined) continue;
    for (const [key, weight, min, max] of [
      ['size', wish.size.weight, minSize(wish), maxSize(wish)],
      ['padding', wish.padding.weight, minPadding(wish), maxPadding(wish)],
    ] as const) {
      if (own[key] !== undefined) continue;
      const chosen = choose(phase, share(rest, weight), min, max);
      if (chosen === undefined) continue;
      own[key] = chosen;
      rest.span = Math.max(0, rest.span - chosen);
      rest.weight -= weight;
      changed = true;
    }
  }
  return changed;
}

function choose(
  phase: (typeof PHASES)[number],
  own: number,
  min: number,
  max: number,
): number | undefined {
  if (phase === 'more') return min > own ? min : undefined;
  if (phase === 'less') return max < own ? max : undefined;
  return Math.min(Math.max(roundDown(own), min), max);
}

function share({ span, weight: sum }: { span: number; weight: number }, weight: number): number {
  // Of a disk of petabytes and a large weight the product is beyond what a number holds.
  return sum === 0 ? 0 : Number((BigInt(span) * BigInt(weight)) / BigInt(sum));
}

function placed(sizes: readonly Grown[]): readonly Place[] {
  let next = FIRST;
  return sizes.map(({ size = 0, padding = 0 }) => {
    const offset = next;
    next += size + padding;
    return { offset, size, padding };
  });
}

function tooSmall(wishes: readonly Wish[], size: number, smallest: number): EspError {
  const rows = wishes.map((wish) => `${wish.name} ${formatSize(minSize(wish) + minPadding(wish))}`);
  return new EspError(
    'IMAGE_FULL',
    `the partitions need a disk of ${exactSize(smallest)}, got ${exactSize(size)}: ${rows.join(', ')}`,
    { hint: 'give a larger size, or auto' },
  );
}
