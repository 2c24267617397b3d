/**
 * A disk on which names below mount points are found as FAT compares them: without regard to case. vfat
 * does so by itself, except with `iocharset=utf8`: then `EFI/Linux` is not found where `EFI/LINUX` is,
 * and cannot be made either.
 */
import type { Disk, WritableDisk } from './disk.ts';

/** Returns where a path leads by the names that are there; what is not there keeps the name it was asked by. */
type Find = (path: string) => string;

/** Returns the disk with names below `roots` as they are there. */
export function fatNamesDisk(host: WritableDisk, roots: readonly string[]): WritableDisk {
  const find = finder(host, roots);
  return {
    ...reading(host, find),
    makeDirectory: (path, readers) => host.makeDirectory(find(path), readers),
    create: (path, readers) => host.create(find(path), readers),
    copy: (from, to) => host.copy(find(from), find(to)),
    // SAFETY: as on the host; what boots if power fails here is told where a plan calls it.
    overwrite: (path, bytes) => host.overwrite(find(path), bytes),
    replaceText: (path, text, readers) => host.replaceText(find(path), text, readers),
    makeLink: (path, target, modified) => host.makeLink(find(path), target, modified),
    // SAFETY: as for overwrite.
    rename: (from, to) => host.rename(find(from), find(to)),
    syncFile: (path) => host.syncFile(find(path)),
    useSlots: host.useSlots && ((path, atLeast) => host.useSlots?.(find(path), atLeast)),
    // SAFETY: as for overwrite.
    remove: (path) => host.remove(find(path)),
    makeTemporary: (directory, prefix) => host.makeTemporary(find(directory), prefix),
    removeTemporary: (path) => host.removeTemporary(find(path)),
    // SAFETY: as for overwrite.
    syncDirectory: (path) => host.syncDirectory(find(path)),
  };
}

/** Returns the disk, for reading alone, with names below `roots` as they are there. */
export function fatNamesReading(host: Disk, roots: readonly string[]): Disk {
  return reading(host, finder(host, roots));
}

function reading(host: Disk, find: Find): Disk {
  return {
    stat: (path) => host.stat(find(path)),
    linkStat: (path) => host.linkStat(find(path)),
    list: (path) => host.list(find(path)),
    readLink: (path) => host.readLink(find(path)),
    realPath: (path) => host.realPath(find(path)),
    read: (path, limit) => host.read(find(path), limit),
    open: (path) => host.open(find(path)),
    fileSystem: (path) => host.fileSystem(find(path)),
    hostPath: (path) => host.hostPath(find(path)),
  };
}

function finder(host: Disk, roots: readonly string[]): Find {
  return (path) => {
    const root = roots.find((each) => path.startsWith(`${each}/`));
    // Nearly always the name is there as it was asked for: then one look is enough.
    if (root === undefined || host.linkStat(path) !== undefined) return path;
    return walk(host, root, path.slice(root.length + 1).split('/'));
  };
}

function walk(host: Disk, root: string, parts: readonly string[]): string {
  let at = root;
  for (const [index, part] of parts.entries()) {
    const exact = `${at}/${part}`;
    const name = host.linkStat(exact) ? part : nameLike(host, at, part);
    if (name === undefined) return [at, ...parts.slice(index)].join('/');
    at = `${at}/${name}`;
  }
  return at;
}

function nameLike(host: Disk, directory: string, wanted: string): string | undefined {
  const lower = wanted.toLowerCase();
  return host.list(directory)?.find(({ name }) => name.toLowerCase() === lower)?.name;
}
