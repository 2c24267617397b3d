/** A file from which nothing boots, in place of what is there, whole or not at all. */
import { dirname } from 'node:path';
import type { WritableDisk } from '../disk/disk.ts';
import { temporaryName } from '../esp/layout.ts';
import { fill } from './assemble.ts';

/**
 * Writes bytes beside their place, for their owner alone, makes them durable and gives them their name.
 * When that fails, the place is as it was.
 */
export async function placeFile(
  path: string,
  bytes: Uint8Array,
  { disk, processId }: { readonly disk: WritableDisk; readonly processId: number },
): Promise<void> {
  const directory = dirname(path);
  const temporary = `${directory}/${temporaryName(processId, 0)}`;
  try {
    await fill(disk, temporary, (file) => file.write(bytes));
    // SAFETY: nothing boots from this file; it is whole and durable under its temporary name.
    disk.rename(temporary, path);
    // SAFETY: the barrier: the name is durable when we say that it is there.
    disk.syncDirectory(directory);
  } catch (error) {
    // SAFETY: nothing boots from a temporary name; after the rename there is none.
    disk.remove(temporary);
    throw error;
  }
}
