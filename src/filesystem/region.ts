/** What makers of file systems have to do with their regions. */

import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import type { Region, Workshop } from './request.ts';

/**
 * Returns the size that is needed, if the region has it.
 * @throws {IMAGE_FULL}
 */
export function whole({ path, size }: Region, needed: number): number {
  if (size === undefined || needed <= size) return needed;
  throw new EspError(
    'IMAGE_FULL',
    `${path}: the file system needs ${exactSize(needed)}, and its partition has ${exactSize(size)}`,
    { hint: 'give the partition more room' },
  );
}

/** Returns how much a program wrote: it ends the file where the file system ends. */
export function sizeOf(region: Region, { disk }: Workshop): number {
  const end = disk.stat(region.path)?.size ?? 0;
  return whole(region, Math.max(0, end - region.offset));
}
