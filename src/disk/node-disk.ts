/** The one adapter of the Disk port that knows node:fs: the real file system. */
import type { WritableDisk } from './disk.ts';
import { reading } from './node-reading.ts';
import { writing } from './node-writing.ts';

/** Returns the real file system. */
export function nodeDisk(): WritableDisk {
  return { ...reading, ...writing };
}
