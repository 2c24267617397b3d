/** A disk on which one chosen operation fails, once. */
import type { NewFile, WritableDisk } from '../../src/disk/disk.ts';

/** A disk that counts what is asked of it. */
export interface FaultyDisk extends WritableDisk {
  readonly calls: number;
}

/**
 * Wraps a disk so that operation `failAt`, counted from 0, throws `error` and does nothing. Writing
 * counts, and so does what is done through a new file; reading does not.
 */
export function faultyDisk(disk: WritableDisk, failAt: number, error: Error): FaultyDisk {
  let calls = 0;
  const count = (): void => {
    if (calls++ === failAt) throw error;
  };
  const counted =
    <Args extends unknown[], Result>(run: (...args: Args) => Result) =>
    (...args: Args): Result => {
      count();
      return run(...args);
    };
  const awaited =
    <Args extends unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      count();
      return run(...args);
    };
  const faultyFile = (file: NewFile): NewFile => ({
    write: awaited((bytes) => file.write(bytes)),
    writeAt: awaited((offset, bytes) => file.writeAt(offset, bytes)),
    finish: awaited(() => file.finish()),
    abandon: () => file.abandon(),
  });
  return {
    get calls() {
      return calls;
    },
    stat: (path) => disk.stat(path),
    linkStat: (path) => disk.linkStat(path),
    list: (path) => disk.list(path),
    readLink: (path) => disk.readLink(path),
    realPath: (path) => disk.realPath(path),
    read: (path, limit) => disk.read(path, limit),
    open: (path) => disk.open(path),
    fileSystem: (path) => disk.fileSystem(path),
    hostPath: (path) => disk.hostPath(path),
    makeDirectory: counted((path, readers) => disk.makeDirectory(path, readers)),
    create: awaited(async (path) => faultyFile(await disk.create(path))),
    copy: awaited((from, to) => disk.copy(from, to)),
    overwrite: awaited((path, bytes) => disk.overwrite(path, bytes)),
    replaceText: awaited((path, text, readers) => disk.replaceText(path, text, readers)),
    makeLink: counted((path, target, modified) => disk.makeLink(path, target, modified)),
    rename: counted((from, to) => disk.rename(from, to)),
    remove: counted((path) => disk.remove(path)),
    syncFile: awaited((path) => disk.syncFile(path)),
    makeTemporary: counted((directory, prefix) => disk.makeTemporary(directory, prefix)),
    removeTemporary: counted((path) => disk.removeTemporary(path)),
    syncDirectory: counted((path) => disk.syncDirectory(path)),
  };
}
