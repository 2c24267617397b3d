/** A disk in which another one stands at a path, as a mounted file system does. */
import type { Disk, WritableDisk } from './disk.ts';

/** Bytes copied at a time: small ones stay in the processor's caches. */
const PIECE = 64 * 1024;

/** Returns the host with `guest` for every path at and below `point`. */
export function mountedDisk(host: WritableDisk, point: string, guest: WritableDisk): WritableDisk {
  const at = (path: string): WritableDisk =>
    path === point || path.startsWith(`${point}/`) ? guest : host;
  const reading: Disk = {
    stat: (path) => at(path).stat(path),
    linkStat: (path) => at(path).linkStat(path),
    list: (path) => at(path).list(path),
    readLink: (path) => at(path).readLink(path),
    realPath: (path) => at(path).realPath(path),
    read: (path, limit) => at(path).read(path, limit),
    open: (path) => at(path).open(path),
    fileSystem: (path) => at(path).fileSystem(path),
    hostPath: (path) => at(path).hostPath(path),
  };
  return {
    ...reading,
    makeDirectory: (path, readers) => at(path).makeDirectory(path, readers),
    create: (path, readers) => at(path).create(path, readers),
    copy: (from, to) =>
      at(from) === at(to) ? at(to).copy(from, to) : copyAcross(at(from), from, at(to), to),
    // SAFETY: as on the disk that has the path. The plan that calls this says what boots.
    overwrite: (path, bytes) => at(path).overwrite(path, bytes),
    replaceText: (path, text, readers) => at(path).replaceText(path, text, readers),
    makeLink: (path, target, modified) => at(path).makeLink(path, target, modified),
    // SAFETY: as for overwrite.
    rename: (from, to) => at(from).rename(from, to),
    syncFile: (path) => at(path).syncFile(path),
    // SAFETY: as for overwrite.
    remove: (path) => at(path).remove(path),
    useSlots: guest.useSlots && ((path, atLeast) => at(path).useSlots?.(path, atLeast)),
    makeTemporary: (directory, prefix) => at(directory).makeTemporary(directory, prefix),
    removeTemporary: (path) => at(path).removeTemporary(path),
    // SAFETY: as for overwrite.
    syncDirectory: (path) => at(path).syncDirectory(path),
  };
}

/** Copies a file to a new name on another disk, durably. Nothing stays of a copy that fails. */
export async function copyAcross(
  from: Pick<Disk, 'open'>,
  source: string,
  to: Pick<WritableDisk, 'create' | 'remove'>,
  target: string,
): Promise<void> {
  using reader = from.open(source);
  const file = await to.create(target);
  try {
    const memory = new Uint8Array(PIECE);
    for (let offset = 0; offset < reader.size; offset += PIECE) {
      await file.write(reader.readInto(offset, memory));
    }
    await file.finish();
  } catch (error) {
    await file.abandon();
    // SAFETY: nothing boots from a temporary name, so removing an unfinished copy changes nothing.
    to.remove(target);
    throw error;
  }
}
