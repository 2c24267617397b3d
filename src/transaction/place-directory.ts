/** A directory of files that appears as a whole, under a name that nothing has yet. */
import { dirname } from 'node:path';
import type { WritableDisk } from '../disk/disk.ts';
import { temporaryName } from '../esp/layout.ts';
import { fill } from './assemble.ts';

/** Where a directory is made, and by whom. */
export interface DirectoryPlacing {
  readonly disk: WritableDisk;
  readonly processId: number;
}

/**
 * Writes files, by their paths below a directory, for their owner alone, makes them durable and gives
 * the directory its name. When that fails the files are removed again.
 * @throws {IO} also when something lies in a directory of that name
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
      // SAFETY: the barrier for a name below a temporary one; nothing boots from it.
      disk.syncDirectory(dirname(file));
    }
    // SAFETY: all is durable under the temporary name, and a directory with anything in it is never
    // replaced: there are all of these files or none, and nothing boots from them.
    disk.rename(temporary, path);
    // SAFETY: the barrier: the name is durable when we say that it is there.
    disk.syncDirectory(parent);
  } catch (error) {
    // SAFETY: nothing boots from a file below a temporary name.
    for (const file of begun) disk.remove(file);
    throw error;
  }
}
