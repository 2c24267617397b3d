/** An image at a path of the caller's own, in place of what is there, whole or not at all. */
import { dirname } from 'node:path';
import type { FileStat } from '../disk/disk.ts';
import { temporaryName } from '../esp/layout.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { type Assembling, assemble, requireUnchanged } from './assemble.ts';

/** Where an image goes, and what it is made with. */
export interface Placing extends Assembling {
  readonly processId: number;
  /** The files that it is made from, as they were when they were looked at, by path. */
  readonly sources: ReadonlyMap<string, FileStat>;
}

/**
 * Writes an image beside its place, makes it durable and gives it its name. Returns its size in bytes.
 * @throws {SOURCE_CHANGED} when a source changed meanwhile; the place is then left as it was
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
    // SAFETY: the image is whole and durable under its temporary name. If its place is one that
    // firmware boots from, a FAT may lose the name for a moment: who wants more installs instead.
    disk.rename(temporary, path);
    // SAFETY: the barrier: the name is durable when we say that it is there.
    disk.syncDirectory(directory);
    // SAFETY: only now does the name lead to the image: on FAT it was that of an empty file.
    disk.syncFile(path);
    return size;
  } catch (error) {
    // SAFETY: nothing boots from a temporary name; after the rename there is none.
    disk.remove(temporary);
    throw error;
  }
}
