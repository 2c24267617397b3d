/** Makes a directory of files appear as a whole, under a new name. */
import { dirname } from 'node:path';
import type { WritableDisk } from '../disk/disk.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import { fill } from './assemble.ts';

/** Where a directory goes, and the disk that makes it. */
export interface DirectoryPlacing {
  readonly disk: WritableDisk;
  readonly processId: number;
}

/**
 * Writes files by their paths below a directory, for their owner alone. It makes them durable, then
 * renames the directory. When that fails it removes the files again.
 * @throws {IO} also when a directory of that name is not empty
 */
export async function placeDirectory(
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
  { disk, processId }: DirectoryPlacing,
): Promise<void> {
  const parent = dirname(path);
  const temporary = `${parent}/${temporaryName(processId, 0)}`;
  const begun: string[] = [];
  try {
    for (const [name, bytes] of files) {
      const file = `${temporary}/${name}`;
      disk.makeDirectory(dirname(file));
      begun.push(file);
      await fill(disk, file, (made) => made.write(bytes));
      // SAFETY: the barrier for a name below a temporary one. Nothing boots from it.
      disk.syncDirectory(dirname(file));
    }
    // SAFETY: all files are durable under the temporary name. The rename never replaces a directory
    // that is not empty: all of these files are there or none. Nothing boots from them.
    disk.rename(temporary, path);
    // SAFETY: the barrier makes the name durable before we report it. Nothing boots from it.
    disk.syncDirectory(parent);
  } catch (error) {
    // SAFETY: nothing boots from a file below a temporary name.
    for (const file of begun) disk.remove(file);
    throw error;
  }
}
