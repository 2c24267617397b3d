/** The writing half of the Disk port over node:fs. */
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ioError, notHeld, optional, shortWrite, translated } from '../io-error.ts';
import { isStale, MARK, processMark } from '../process/process-mark.ts';
import type { Disk, NewFile, Readers, WritableDisk } from './disk.ts';
import { reading } from './node-reading.ts';

/** Changes the real file system. */
export const writing: Omit<WritableDisk, keyof Disk> = {
  makeDirectory: (path, readers) =>
    translated('make the directory', path, () => makeDirectory(path, readers)),
  create,
  copy,
  overwrite,
  replaceText,
  makeLink: (path, target, modified) =>
    translated('link', path, () => makeLink(path, target, modified)),
  // SAFETY: the port only carries this out. The plan that calls it says what boots if power fails.
  rename: (from, to) => translated('rename', from, () => fs.renameSync(from, to)),
  // SAFETY: as for rename.
  remove: (path) => void optional('remove', path, () => fs.unlinkSync(path)),
  // SAFETY: as for rename. This syncs the inode: on FAT, the size and cluster beside the name.
  syncFile: (path) => attempt('sync', path, withFile(path, fs.constants.O_RDONLY, sync)),
  makeTemporary: (directory, prefix) =>
    translated('make a directory in', directory, () => fs.mkdtempSync(join(directory, prefix))),
  removeTemporary: (path) =>
    translated('remove', path, () => fs.rmSync(path, { recursive: true, force: true })),
  // SAFETY: the barrier itself. On FAT it also flushes the allocation table and the device. Boots:
  // as the plan that calls it says.
  syncDirectory: (path) => translated('sync', path, () => syncDirectory(path)),
};

/**
 * New files are for their owner only, since an image may carry secrets. FAT keeps no permissions.
 */
const FILE_MODE = 0o600;
const MODES: Record<Readers, { readonly file: number; readonly directory: number }> = {
  owner: { file: FILE_MODE, directory: 0o700 },
  everyone: { file: 0o644, directory: 0o755 },
  program: { file: 0o755, directory: 0o755 },
};

function makeDirectory(path: string, readers: Readers = 'owner'): void {
  if (isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent, readers);
  try {
    fs.mkdirSync(path, MODES[readers].directory);
  } catch (error) {
    // Another process may have made the directory meanwhile.
    if (!isDirectory(path)) throw error;
  }
  // SAFETY: nothing boots from this directory yet. Losing it here loses only the new names in it.
  syncDirectory(parent);
}

function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function makeLink(path: string, target: string, modified: number): void {
  removeUnfinishedLinks(dirname(path), basename(path));
  const temporary = `${path}.${processMark()}.new`;
  fs.rmSync(temporary, { force: true });
  fs.symlinkSync(target, temporary);
  fs.lutimesSync(temporary, modified / 1000, modified / 1000);
  // SAFETY: no link of ours is on an ESP, so boots do not change. A lost link protects nothing
  // until it is made again.
  fs.renameSync(temporary, path);
  syncDirectory(dirname(path));
}

/** Removes a link that a killed process did not rename: Nix would keep its target for ever. */
function removeUnfinishedLinks(directory: string, name: string): void {
  for (const found of fs.readdirSync(directory)) {
    const mark = found.startsWith(`${name}.`) && UNFINISHED.exec(found.slice(name.length))?.[1];
    if (mark && isStale(mark)) fs.rmSync(join(directory, found), { force: true });
  }
}

const UNFINISHED = new RegExp(String.raw`^\.(${MARK})\.new$`);

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    // SAFETY: the barrier itself. Whoever calls says what boots if power fails before it.
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Opens and closes at once: to hand that to another thread takes longer than to do it. */
async function withFile(
  path: string,
  flags: number,
  run: (fd: number) => Promise<void>,
): Promise<void> {
  const fd = fs.openSync(path, flags);
  try {
    await run(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Overwrites in one call, so that one sector is written as a whole or not at all. */
function overwrite(path: string, bytes: Uint8Array): Promise<void> {
  const write = async (fd: number) => {
    // SAFETY: within one sector the file holds the old bytes or the new ones, and either boots. Its
    // name stays.
    const written = fs.writeSync(fd, bytes, 0, bytes.length, 0);
    if (written !== bytes.length) throw shortWrite(path, bytes.length, written);
    await sync(fd);
  };
  return attempt('overwrite', path, withFile(path, fs.constants.O_RDWR, write));
}

/** Loaded at the first write, because most runs write nothing. */
const files = (): typeof fs.promises => process.getBuiltinModule('node:fs/promises');

/** Makes the content of an open file durable, on another thread: files can wait for the disk together. */
function sync(fd: number, how: typeof fs.fsync | typeof fs.fdatasync = fs.fsync): Promise<void> {
  return new Promise((resolve, reject) => {
    how(fd, (error) => (error ? reject(error) : resolve()));
  });
}

/** In bytes. To hand so little to another thread takes longer than the kernel needs to take it. */
const LITTLE = 64 * 1024;

/** Writes a part of bytes, and returns how many. What is large is written while other work goes on. */
async function writePart(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  if (bytes.length <= LITTLE) return fs.writeSync(fd, bytes, 0, bytes.length, position);
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, 0, bytes.length, position, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}

/** In bytes. This much is sent to the disk while the bytes after it are still being made. */
const WRITE_BEHIND = 8 * 1024 * 1024;
/** One sync at a time: the next write of a file must not wait for the syncs of others. */
let isSyncingEarly = false;

/**
 * Starts writing to the disk early, so that the final sync, which guarantees durability, has less
 * to do.
 */
function writeBehind(fd: number) {
  let waiting = 0;
  let early: Promise<void> = Promise.resolve();
  return {
    wrote(size: number): void {
      waiting += size;
      if (waiting < WRITE_BEHIND || isSyncingEarly) return;
      waiting = 0;
      isSyncingEarly = true;
      early = early
        .then(() => sync(fd, fs.fdatasync))
        .finally(() => {
          isSyncingEarly = false;
        });
      early.catch(() => undefined);
    },
    /** Settles when no write is under way. Rejects as the first failed write did. */
    settled: () => early,
  };
}

async function create(path: string, readers: Readers = 'owner'): Promise<NewFile> {
  const mode = MODES[readers].file;
  const fd = translated('create', path, () => fs.openSync(path, 'wx', mode));
  let end = 0;
  const behind = writeBehind(fd);
  const writeAll = async (offset: number, bytes: Uint8Array): Promise<void> => {
    let done = 0;
    while (done < bytes.length) {
      const part = writePart(fd, bytes.subarray(done), offset + done);
      const written = await attempt('write', path, part);
      // A full disk first writes less than asked, and reports the reason only on the next try.
      if (written === 0) throw shortWrite(path, bytes.length, done);
      done += written;
    }
  };
  let isOpen = true;
  const close = () => {
    // After a close the kernel reuses the number, so a second one would close another file.
    if (!isOpen) return;
    isOpen = false;
    translated('close', path, () => fs.closeSync(fd));
  };
  return {
    async write(bytes) {
      await writeAll(end, bytes);
      end += bytes.length;
      behind.wrote(bytes.length);
    },
    writeAt: writeAll,
    async finish() {
      try {
        // The kernel reports a failed write once, to the first sync that asks.
        await attempt('sync', path, behind.settled());
        await attempt('sync', path, sync(fd));
      } finally {
        close();
      }
    },
    async abandon() {
      await behind.settled().catch(() => undefined);
      close();
    },
  };
}

async function copy(from: string, to: string): Promise<void> {
  const copying = files().copyFile(from, to, fs.constants.COPYFILE_EXCL);
  await attempt(`copy ${from} to`, to, copying);
  try {
    await checkCopy(from, to);
  } catch (error) {
    // SAFETY: nothing boots from a temporary name, so removing an unfinished copy changes nothing.
    optional('remove', to, () => fs.unlinkSync(to));
    throw error;
  }
}

/** Makes a copy durable, and checks that it is complete. */
async function checkCopy(from: string, to: string): Promise<void> {
  const fd = translated('open', to, () => fs.openSync(to, 'r'));
  try {
    translated('chmod', to, () => makeWritable(fd));
    await attempt('sync', to, sync(fd));
    const compare = () => [fs.statSync(from).size, fs.fstatSync(fd).size] as const;
    const [expected, got] = translated('compare', to, compare);
    if (got !== expected) throw shortWrite(to, expected, got);
  } finally {
    translated('close', to, () => fs.closeSync(fd));
  }
}

/** The kernel's copy keeps the mode, and files of a store are read-only. */
function makeWritable(fd: number): void {
  fs.fchmodSync(fd, FILE_MODE);
  // Only FAT ignores this, where fmask hides execution: there a file stays read-only unless all may
  // write.
  if ((fs.fstatSync(fd).mode & 0o200) === 0) fs.fchmodSync(fd, 0o666);
}

async function attempt<T>(operation: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw ioError(operation, path, error);
  }
}

/**
 * write-file-atomic issues one write and ignores how much of it was done. So on a full disk it
 * renames a truncated file into place. Writing the whole text into its temporary file first
 * reserves the space, so that its own write cannot run out of it.
 */
async function replaceText(path: string, text: string, readers: Readers = 'owner'): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  // SAFETY: on FAT the name may be gone for a moment. Nothing boots from the files that come here.
  await attempt(
    'replace',
    path,
    writeFileAtomic(path, text, {
      mode: MODES[readers].file,
      chown: false as never, // its types leave out the documented `false`: the owner stays
      fsync: true,
      tmpfileCreated: (temporary) => fs.writeFileSync(temporary, text, { flag: 'r+' }),
    }),
  );
  const expected = new TextEncoder().encode(text);
  const got = reading.read(path, expected.length);
  if (Buffer.compare(got, expected) !== 0) {
    throw notHeld(path);
  }
  translated('sync', dirname(path), () => syncDirectory(dirname(path)));
}
