/** The only adapter of the Disk port: the real file system, through node:fs. */
import type { WritableDisk } from './disk.ts';
import { reading } from './node-reading.ts';
import { writing } from './node-writing.ts';

/** V8's small nursery does not hold what is read about more entries of one directory. */
const CROWD = 1000;

/** Returns the real file system. `onCrowd` is called when a directory has a thousand entries or more. */
export function nodeDisk(onCrowd: () => void = () => undefined): WritableDisk {
  return {
    ...reading,
    list(path) {
      const entries = reading.list(path);
      if (entries !== undefined && entries.length >= CROWD) onCrowd();
      return entries;
    },
    ...writing,
  };
}
