/** A disk that tells after every change, so that a test can see what is true in between. */
import type { NewFile, WritableDisk } from '../../src/disk/disk.ts';

/** Wraps a disk; `onChange` is called after each change to it, failed or not. */
export function watched(disk: WritableDisk, onChange: () => void): WritableDisk {
  const told =
    <Args extends unknown[], Result>(change: (...args: Args) => Result) =>
    (...args: Args): Result => {
      const result = change(...args);
      onChange();
      return result;
    };
  const toldLater =
    <Args extends unknown[], Result>(change: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const result = await change(...args);
      onChange();
      return result;
    };
  const watchedFile = (file: NewFile): NewFile => ({
    write: toldLater((bytes) => file.write(bytes)),
    writeAt: toldLater((offset, bytes) => file.writeAt(offset, bytes)),
    finish: () => file.finish(),
    abandon: () => file.abandon(),
  });
  return {
    stat: (path) => disk.stat(path),
    linkStat: (path) => disk.linkStat(path),
    list: (path) => disk.list(path),
    readLink: (path) => disk.readLink(path),
    realPath: (path) => disk.realPath(path),
    read: (path, limit) => disk.read(path, limit),
    open: (path) => disk.open(path),
    fileSystem: (path) => disk.fileSystem(path),
    hostPath: (path) => disk.hostPath(path),
    makeDirectory: told((path, readers) => disk.makeDirectory(path, readers)),
    create: toldLater(async (path) => watchedFile(await disk.create(path))),
    copy: toldLater((from, to) => disk.copy(from, to)),
    overwrite: toldLater((path, bytes) => disk.overwrite(path, bytes)),
    replaceText: toldLater((path, text, readers) => disk.replaceText(path, text, readers)),
    makeLink: told((path, target, modified) => disk.makeLink(path, target, modified)),
    rename: told((from, to) => disk.rename(from, to)),
    remove: told((path) => disk.remove(path)),
    syncFile: toldLater((path) => disk.syncFile(path)),
    makeTemporary: told((directory, prefix) => disk.makeTemporary(directory, prefix)),
    removeTemporary: told((path) => disk.removeTemporary(path)),
    syncDirectory: told((path) => disk.syncDirectory(path)),
  };
}
