/** What a user who is not root can tell of a path: one behind a closed door is as good as absent. */
import type { Disk, FileKind } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** Returns what a path leads to; undefined when that is nothing, or not for this user to know. */
export function kindAt(disk: Disk, path: string): FileKind | undefined {
  try {
    return disk.stat(path)?.kind;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
