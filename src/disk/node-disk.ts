/** The one adapter of the Disk port that knows node:fs: the real file system. */
import type { WritableDisk } from './disk.ts';
import { reading } from './node-reading.ts';
import { writing } from './node-writing.ts';

/** Files in one directory of which there is more to say than a small nursery of V8 holds at once. */
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
