/** Writes an image to a path of the caller's choice, whole or not at all, over an existing one. */
import { dirname } from 'node:path';
import type { FileStat } from '../disk/disk.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { type Assembling, assemble, requireUnchanged } from './assemble.ts';

/** Where an image goes, and what making it needs. */
export interface Placing extends Assembling {
  readonly processId: number;
  /** The files that it is made from, as they were when they were first read, by path. */
  readonly sources: ReadonlyMap<string, FileStat>;
}

/**
 * Writes an image beside its place, makes it durable and renames it. Returns its size in bytes.
 * @throws {SOURCE_CHANGED} when a source changed meanwhile; the place stays as it was
 */
export async function placeImage(
  layout: ImageLayout,
  path: string,
  placing: Placing,
): Promise<number> {
  const { disk, sources } = placing;
  const directory = dirname(path);
  const temporary = `${directory}/${temporaryName(placing.processId, 0)}`;
  try {
    const size = await assemble(layout, temporary, placing);
    requireUnchanged([...sources.keys()], placing);
    // SAFETY: the image is whole and durable under its temporary name. If firmware boots from this
    // very path, FAT may lose the name for a moment and nothing boots from it; `install` avoids
    // that.
    disk.rename(temporary, path);
    // SAFETY: the barrier makes the name durable before we report it. Boots: as for the rename.
    disk.syncDirectory(directory);
    // SAFETY: before this, the name leads on FAT to an empty file, which does not boot; after it,
    // the image boots.
    await disk.syncFile(path);
    return size;
  } catch (error) {
    // SAFETY: nothing boots from a temporary name. After the rename it does not exist.
    disk.remove(temporary);
    throw error;
  }
}
