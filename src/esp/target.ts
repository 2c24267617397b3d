/** A target: one ESP and the partitions that go with it, as a value. */
import type { Disk, FileStat, WritableDisk } from '../disk/disk.ts';
import type { EspPath } from './layout.ts';

/** What was at each mount point, by its path. */
export type Mounted = ReadonlyMap<string, FileStat | undefined>;

/** A partition that should hold no entries of ours, but may. */
export interface OtherVolume {
  readonly root: string;
  /** Why entries of ours there are kept nevertheless. */
  readonly stays?: string;
}

/** One ESP, and the partitions that the settings name with it. Paths of mount points are real. */
export interface Target {
  /** Where the ESP is mounted. */
  readonly root: string;
  /**
   * Mount point of the XBOOTLDR partition, if there is one. It holds the entries and their files.
   */
  readonly xbootldr: string | undefined;
  /** Of its disk, in bytes; undefined where nobody tells. */
  readonly sectorSize?: number | undefined;
  /** ESP and XBOOTLDR partition as one tree below `root`, for reading. */
  readonly tree: Disk;
  /** The disk that shows the partitions separately, for writing. */
  readonly disk: WritableDisk;
  /** Returns the path on `disk` of a path in the tree. */
  readonly locate: (path: EspPath) => string;
  /** PARTUUIDs of this ESP and its mirrors, in lower case, as far as anybody can tell. */
  readonly partitions: readonly string[];
  readonly others: readonly OtherVolume[];
  /** Reads an ESP in a disk image anew; absent where the kernel does that. @throws {FAT_MALFORMED} */
  readonly renew?: () => void;
  /** Why firmware may not read an ESP in a disk image; undefined when it will, or nobody can tell. */
  readonly complaint?: string | undefined;
  /** All mount points, as they were when the target was opened. */
  readonly mounted: Mounted;
  readonly warnings: readonly string[];
}
