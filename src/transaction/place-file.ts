/** Writes a file from which nothing boots, whole or not at all, over an existing one. */
import { dirname } from 'node:path';
import type { WritableDisk } from '../disk/disk.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import { fill } from './assemble.ts';

/**
 * Writes bytes beside their place, for their owner alone, makes them durable and renames them.
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
    // SAFETY: nothing boots from this file. It is whole and durable under its temporary name.
    disk.rename(temporary, path);
    // SAFETY: the barrier makes the name durable before we report it. Nothing boots from this file.
    disk.syncDirectory(directory);
  } catch (error) {
    // SAFETY: nothing boots from a temporary name. After the rename it does not exist.
    disk.remove(temporary);
    throw error;
  }
}
