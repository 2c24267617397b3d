/** Every kind of file system that an image may have, and what makes it. */
import { EXT4 } from './ext4.ts';
import type { Maker } from './request.ts';

export const FILE_SYSTEMS = {
  ext4: EXT4,
} as const satisfies Record<string, Maker>;
