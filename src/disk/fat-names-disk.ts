/**
 * A disk on which names below mount points are found as FAT compares them: without regard to case. vfat
 * does so by itself, except with `iocharset=utf8`: then `EFI/Linux` is not found where `EFI/LINUX` is,
 * and cannot be made either.
 */
import type { Disk, WritableDisk } from './disk.ts';

/** Returns where a path leads by the names that are there; what is not there keeps the name it was asked by. */
type Find = (path: string) => string;

/** Finds names, and hears of those that are made. */
interface Names {
  readonly find: Find;
  /** As `find`, for a name that will be there from now on. */
  readonly findNew: Find;
  /** As `find`, for a name that will be gone. */
  readonly findGone: Find;
}

/** Returns the disk with names below `roots` as they are there. */
export function fatNamesDisk(host: WritableDisk, roots: readonly string[]): WritableDisk {
  const { find, findNew, findGone } = namesOn(host, roots);
  return {
    ...reading(host, find),
    makeDirectory: (path, readers) => host.makeDirectory(findNew(path), readers),
    create: (path, readers) => host.create(findNew(path), readers),
    copy: (from, to) => host.copy(find(from), findNew(to)),
    // SAFETY: as on the host; what boots if power fails here is told where a plan calls it.
    overwrite: (path, bytes) => host.overwrite(find(path), bytes),
    replaceText: (path, text, readers) => host.replaceText(findNew(path), text, readers),
    makeLink: (path, target, modified) => host.makeLink(findNew(path), target, modified),
    // SAFETY: as for overwrite.
    rename: (from, to) => {
      // Where both are one name in two cases, it is still there.
      const name = find(to);
      host.rename(findGone(from), findNew(name));
    },
    syncFile: (path) => host.syncFile(find(path)),
    useSlots: host.useSlots && ((path, atLeast) => host.useSlots?.(find(path), atLeast)),
    // SAFETY: as for overwrite.
    remove: (path) => host.remove(findGone(path)),
    makeTemporary: (directory, prefix) => host.makeTemporary(find(directory), prefix),
    removeTemporary: (path) => host.removeTemporary(findGone(path)),
    // SAFETY: as for overwrite.
    syncDirectory: (path) => host.syncDirectory(find(path)),
  };
}

/** Returns the disk, for reading alone, with names below `roots` as they are there. */
export function fatNamesReading(host: Disk, roots: readonly string[]): Disk {
  return reading(host, namesOn(host, roots).find);
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

function namesOn(host: Disk, roots: readonly string[]): Names {
  const listings = new Map<string, Listing>();
  /**
   * Lists a directory once for all that happens in one turn of the event loop: a phase makes a hundred
   * names, and each would list all before it.
   */
  const listingOf = (directory: string): Listing => {
    const known = listings.get(directory);
    if (known) return known;
    if (listings.size === 0) setImmediate(() => listings.clear());
    const listing: Listing = new Map();
    for (const { name } of host.list(directory) ?? []) add(listing, name);
    listings.set(directory, listing);
    return listing;
  };
  const find: Find = (path) => {
    const root = roots.find((each) => path.startsWith(`${each}/`));
    // Nearly always the name is there as it was asked for: then one look is enough.
    if (root === undefined || host.linkStat(path) !== undefined) return path;
    return walk(host, listingOf, root, path.slice(root.length + 1).split('/'));
  };
  const findNew: Find = (path) => {
    const at = find(path);
    const parts = at.split('/');
    // Whoever makes a directory makes those above it, too.
    for (const [index, name] of parts.entries()) {
      const listing = listings.get(parts.slice(0, index).join('/'));
      if (listing) add(listing, name);
    }
    return at;
  };
  const findGone: Find = (path) => {
    const at = find(path);
    const slash = at.lastIndexOf('/');
    listings.get(at.slice(0, slash))?.delete(at.slice(slash + 1).toLowerCase());
    return at;
  };
  return { find, findNew, findGone };
}

/** The names in a directory by their lower case. */
type Listing = Map<string, string>;

function add(listing: Listing, name: string): void {
  const lower = name.toLowerCase();
  if (!listing.has(lower)) listing.set(lower, name);
}

function walk(
  host: Disk,
  listingOf: (directory: string) => Listing,
  root: string,
  parts: readonly string[],
): string {
  let at = root;
  for (const [index, part] of parts.entries()) {
    const isThere = host.linkStat(`${at}/${part}`) !== undefined;
    const name = isThere ? part : listingOf(at).get(part.toLowerCase());
    if (name === undefined) return [at, ...parts.slice(index)].join('/');
    at = `${at}/${name}`;
  }
  return at;
}
