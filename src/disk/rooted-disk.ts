/**
 * A disk as a program inside another root sees it, for a system that is mounted and not running.
 */
import { dirname } from 'node:path';
import { EspError } from '../error.ts';
import { notHeld } from '../io-error.ts';
import type { Disk, Readers, WritableDisk } from './disk.ts';

/** The kernel follows as many links (path_resolution(7)). */
const MAX_LINKS = 40;
const MOUNT_TABLE = '/proc/self/mountinfo';

/**
 * Returns the disk below a directory of another one. Every path and every target of a link is taken
 * inside that directory, and none leads out. The mount table shows the mounts below it.
 * @param root the host's real path of the root
 */
export function rootedDisk(host: WritableDisk, root: string): WritableDisk {
  const find = (path: string) => reached(walk(host, root, path, true), path);
  /** Where a name itself lies: only for calls that do not follow a link there, or the host's would be followed. */
  const name = (path: string) => reached(walk(host, root, path, false), path);
  /** Where links lead round in circles there is nothing, as on the host: whoever only looks goes on. */
  const seen = <Found>(path: string, isName: boolean, look: (at: string) => Found) => {
    const at = walk(host, root, path, !isName);
    return at === undefined ? undefined : look(at);
  };
  const inside = (path: string) => path.slice(root.length) || '/';
  const reading: Disk = {
    stat: (path) => seen(path, false, (at) => host.stat(at)),
    linkStat: (path) => seen(path, true, (at) => host.linkStat(at)),
    list: (path) => seen(path, false, (at) => host.list(at)),
    readLink: (path) => seen(path, true, (at) => host.readLink(at)),
    realPath: (path) => seen(path, false, (real) => (host.stat(real) ? inside(real) : undefined)),
    read: (path, limit) =>
      path === MOUNT_TABLE
        ? new TextEncoder().encode(mountsBelow(root, host.read(MOUNT_TABLE, limit)))
        : host.read(find(path), limit),
    open: (path) => host.open(find(path)),
    fileSystem: (path) => host.fileSystem(find(path)),
    hostPath: (path) => hostPathOf(host, find(path)),
  };
  return {
    ...reading,
    makeDirectory: (path, readers) => host.makeDirectory(find(path), readers),
    create: (path, readers) => host.create(name(path), readers),
    copy: (from, to) => host.copy(find(from), name(to)),
    // SAFETY: as on the host. The plan that calls this says what boots if power fails here.
    overwrite: (path, bytes) => host.overwrite(find(path), bytes),
    replaceText: (path, text, readers) => replaceText(host, find(path), text, readers),
    makeLink: (path, target, modified) => host.makeLink(name(path), target, modified),
    // SAFETY: as for overwrite.
    rename: (from, to) => host.rename(name(from), name(to)),
    syncFile: (path) => host.syncFile(find(path)),
    // SAFETY: as for overwrite.
    remove: (path) => host.remove(name(path)),
    makeTemporary: (directory, prefix) => inside(host.makeTemporary(find(directory), prefix)),
    removeTemporary: (path) => host.removeTemporary(name(path)),
    // SAFETY: as for overwrite.
    syncDirectory: (path) => host.syncDirectory(find(path)),
  };
}

/**
 * Replaces a text as the host does, but through a temporary file that must be new. The host opens its
 * own by a name that can be guessed: a link that waits there would be written through.
 * @throws {READ_BACK_MISMATCH}
 */
async function replaceText(
  host: WritableDisk,
  path: string,
  text: string,
  readers?: Readers,
): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const temporary = `${path}.${process.pid}`;
  // SAFETY: an unfinished file, or a link in its place: nothing boots from either.
  host.remove(temporary);
  const file = await host.create(temporary, readers);
  try {
    await file.write(bytes);
    await file.finish();
    // SAFETY: only files that nothing boots from come here, as on the host.
    host.rename(temporary, path);
  } catch (error) {
    await file.abandon().catch(() => undefined);
    // SAFETY: as above.
    host.remove(temporary);
    throw error;
  }
  if (Buffer.compare(host.read(path, bytes.length), bytes) !== 0) {
    throw notHeld(path);
  }
  host.syncDirectory(dirname(path));
}

/**
 * Resolves a path as the kernel does for a process whose root is `root` (chroot(2)). Returns the
 * host's path, or undefined where links lead round in circles. From the first name that does not exist on,
 * the rest is appended unchanged.
 */
function walk(host: Disk, root: string, path: string, followLast: boolean): string | undefined {
  const left = partsOf(path);
  let links = 0;
  let at = root;
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    if (part === '..') {
      at = at === root ? root : dirname(at);
      continue;
    }
    const next = `${at}/${part}`;
    const follow = left.length > 0 || followLast;
    const target = follow ? linkTarget(host, next) : undefined;
    if (target === undefined) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (target.startsWith('/')) at = root;
    left.unshift(...partsOf(target));
  }
  return at;
}

/** The file system of /dev (linux/magic.h: TMPFS_MAGIC). A disk with a system on it is of another kind. */
const DEVICES = 0x01021994;

/** A device node on a disk is a way out: its bytes are the host's. In a /dev that was mounted there they are meant. */
function hostPathOf(host: Disk, at: string): string | undefined {
  const isNode = host.stat(at)?.kind === 'other' && host.fileSystem(at)?.type !== DEVICES;
  return isNode ? undefined : host.hostPath(at);
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function linkTarget(host: Disk, path: string): string | undefined {
  return host.linkStat(path)?.kind === 'link' ? host.readLink(path) : undefined;
}

/**
 * Returns the lines of a mount table (proc(5) §mountinfo) below a root, with paths as seen inside
 * it.
 */
function mountsBelow(root: string, table: Uint8Array): string {
  return new TextDecoder()
    .decode(table)
    .split('\n')
    .flatMap((line) => {
      const fields = line.split(' ');
      const point = fields[4] ?? '';
      if (point !== root && !point.startsWith(`${root}/`)) return [];
      return [fields.with(4, point.slice(root.length) || '/').join(' ')];
    })
    .join('\n');
}

function reached(at: string | undefined, path: string): string {
  if (at !== undefined) return at;
  throw new EspError('FILE_MISSING', `${path}: too many links`, {
    hint: 'one of them leads back to another: correct it',
  });
}
