/** Every kind of file system that an image may have, and what makes it. FAT and plain EROFS have rooms of their own. */
import { EspError } from '../error.ts';
import { BTRFS } from './btrfs.ts';
import { COMPRESSED_EROFS } from './erofs.ts';
import { EXT4 } from './ext4.ts';
import type { Maker } from './request.ts';
import { SQUASHFS } from './squashfs.ts';
import { SWAP } from './swap.ts';

const FILE_SYSTEMS: Readonly<Record<string, Maker>> = {
  ext4: EXT4,
  erofs: COMPRESSED_EROFS,
  squashfs: SQUASHFS,
  btrfs: BTRFS,
  swap: SWAP,
};

/**
 * Returns what makes a kind of file system.
 * @throws {CONFIG_INVALID} when nothing does
 */
export function makerOf(format: string): Maker {
  const maker = Object.hasOwn(FILE_SYSTEMS, format) ? FILE_SYSTEMS[format] : undefined;
  if (maker !== undefined) return maker;
  const names = Object.keys(FILE_SYSTEMS).join(', ');
  throw new EspError(
    'CONFIG_INVALID',
    `file system ${JSON.stringify(format)}: expected one of ${names}`,
  );
}
