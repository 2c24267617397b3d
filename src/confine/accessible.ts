/**
 * What a user who is not root can learn of a path. A path behind a closed directory counts as
 * absent.
 */
import type { Disk, FileKind } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/**
 * Returns what a path leads to. Returns undefined when it leads nowhere or this user may not know.
 */
export function kindAt(disk: Disk, path: string): FileKind | undefined {
  try {
    return disk.stat(path)?.kind;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
