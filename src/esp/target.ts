/** A target: one ESP with the partitions that go with it, as a value. */
import type { Disk, FileStat, WritableDisk } from '../disk/disk.ts';
import type { EspPath } from './layout.ts';

/** What is at each mount point, by its path. */
export type Mounted = ReadonlyMap<string, FileStat | undefined>;

/** A partition that may hold entries of ours although none belong there. */
export interface OtherVolume {
  readonly root: string;
  /** Why what is ours there is left alone all the same. */
  readonly stays?: string;
}

/** One ESP, and the partitions that the settings name with it. Paths of mount points are real. */
export interface Target {
  /** Where the ESP is mounted. */
  readonly root: string;
  /** Where the XBOOTLDR partition is mounted, if there is one: it has the entries and what they name. */
  readonly xbootldr: string | undefined;
  /** ESP and XBOOTLDR partition as one tree below `root`, to be read. */
  readonly tree: Disk;
  /** The disk on which the partitions are apart: the one to write to. */
  readonly disk: WritableDisk;
  /** Returns the path on `disk` of a path in the tree. */
  readonly locate: (path: EspPath) => string;
  readonly others: readonly OtherVolume[];
  /** All partitions, as they were when the target was opened. */
  readonly mounted: Mounted;
  readonly warnings: readonly string[];
}
