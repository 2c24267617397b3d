/** Small file systems that really are full, read-only or gone, in the place of a world's ESP. Needs root. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { run } from '../lab/run.ts';
import { failingDisk } from './failing-disk.ts';
import type { Stage } from './stage.ts';

/** A kind of file system of a few MiB that this kernel can make and mount. */
export interface Kind {
  readonly name: string;
  /** Mounts a new one of this size in bytes. */
  readonly mount: (directory: string, size: number) => void;
}

export const TMPFS: Kind = {
  name: 'tmpfs',
  mount: (directory, size) =>
    void run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'espalier', directory]),
};

export const EXT4: Kind = {
  name: 'ext4',
  mount(directory, size) {
    const image = `${directory}.img`;
    fs.rmSync(image, { force: true });
    fs.closeSync(fs.openSync(image, 'w'));
    fs.truncateSync(image, size);
    run('mkfs.ext4', ['-q', '-b', '1024', '-m', '0', '-O', '^has_journal', image]);
    run('mount', ['-o', 'loop', image, directory]);
  },
};

/** Mounts a file system at a stage's ESP, with what lies there before the run; unmounts it after the work. */
export async function onFileSystem<T>(
  { world, pristine }: Stage,
  kind: Kind,
  size: number,
  work: () => Promise<T>,
): Promise<T> {
  fs.rmSync(world.esp, { recursive: true, force: true });
  fs.mkdirSync(world.esp);
  kind.mount(world.esp, size);
  try {
    fs.cpSync(pristine, world.esp, { recursive: true });
    return await work();
  } finally {
    run('umount', ['--lazy', world.esp]);
  }
}

/** Bytes of a page, which a file on a tmpfs takes as a whole. */
export const CLUSTER = 4096;

/** Returns the bytes that the files below a directory take up. */
export function used(directory: string): number {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((path) => fs.statSync(join(directory, path)).size)
    .reduce((sum, size) => sum + Math.ceil(size / CLUSTER) * CLUSTER, 0);
}

/** A file of another's, of which there is more and more. */
const FILLER = 'filler.bin';

/** Takes all the space that is left on a file system. */
export function fill(directory: string): void {
  const fd = fs.openSync(join(directory, FILLER), 'a');
  const bytes = new Uint8Array(4096);
  try {
    while (fs.writeSync(fd, bytes) === bytes.length);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Gives the space back. */
export function empty(directory: string): void {
  fs.rmSync(join(directory, FILLER), { force: true });
}

/** Wraps a disk so that something happens before the operation `at` that changes it, counted from 0. */
export function interrupted(disk: WritableDisk, at: number, happens: () => unknown): WritableDisk {
  const failure = { side: 'writing', at: -1, fault: 'EIO', lasting: false } as const;
  return failingDisk(disk, failure, (index) => index === at && happens()).disk;
}
