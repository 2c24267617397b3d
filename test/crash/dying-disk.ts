/** A disk whose process is killed: from one change on, no change happens any more. */
import type { NewFile, WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';

/**
 * Wraps a disk so that below `directory` the first `changes` changes happen and every later one throws
 * IO and does nothing, those that would clean up included. Each write to a new file counts as one.
 */
export function dyingDisk(disk: WritableDisk, directory: string, changes: number): WritableDisk {
  let done = 0;
  const live = (path: string): void => {
    if (path.startsWith(`${directory}/`) && done++ >= changes) {
      throw new EspError('IO', `${path}: the process is dead`);
    }
  };
  const dyingFile = (path: string, file: NewFile): NewFile => ({
    async write(bytes) {
      live(path);
      await file.write(bytes);
    },
    async writeAt(offset, bytes) {
      live(path);
      await file.writeAt(offset, bytes);
    },
    finish: () => file.finish(),
    abandon: () => file.abandon(),
  });
  return {
    ...disk,
    makeDirectory(path, readers) {
      live(path);
      disk.makeDirectory(path, readers);
    },
    async create(path) {
      live(path);
      return dyingFile(path, await disk.create(path));
    },
    async copy(from, to) {
      live(to);
      await disk.copy(from, to);
    },
    async overwrite(path, bytes) {
      live(path);
      await disk.overwrite(path, bytes);
    },
    rename(from, to) {
      live(to);
      disk.rename(from, to);
    },
    remove(path) {
      live(path);
      disk.remove(path);
    },
  };
}
