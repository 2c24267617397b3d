/** The same secrets as the same bytes each time, so that no run writes an entry anew for them. */
import { dirname, join } from 'node:path';
import type { Context } from '../context.ts';
import type { Disk, NewFile } from '../disk/disk.ts';

/** A copy of an initrd with more at its end. Sizes in bytes. */
interface Appended {
  readonly path: string;
  /** Where that begins which a program has appended. */
  readonly original: number;
  readonly size: number;
}

/** Secrets are small: what is larger is left as it is. Bytes. */
const LIMIT = 64 * 1024 * 1024;
const PIECE = 1024 * 1024;

/**
 * Makes a copy beside a copy, in which that which was appended has no times and no inode numbers.
 * @returns where it is and its size; undefined when that which was appended is no archive, or is too large
 */
export async function steadyCopy(
  { path, original, size }: Appended,
  { disk, machine, environment }: Pick<Context, 'disk' | 'machine' | 'environment'>,
): Promise<{ readonly path: string; readonly size: number } | undefined> {
  if (size === original) return { path, size };
  if (size - original > LIMIT) return undefined;
  const [{ steadyArchive }, { findXz }] = await Promise.all([
    import('../initrd/steady-archive.ts'),
    import('../initrd/xz-program.ts'),
  ]);
  const unxz = findXz(machine, environment);
  const wanted = await steadyArchive(appendedTo(path, original, disk), original, unxz);
  if (wanted === undefined) return undefined;
  const steady = join(dirname(path), 'steady');
  const file = await disk.create(steady);
  try {
    await copyBeginning(path, original, file, disk);
    await file.write(wanted);
  } finally {
    await file.abandon();
  }
  // SAFETY: a private copy that nothing boots from.
  disk.remove(path);
  return { path: steady, size: original + wanted.length };
}

function appendedTo(path: string, original: number, disk: Disk): Uint8Array {
  using file = disk.open(path);
  return file.read(original, file.size - original).slice();
}

async function copyBeginning(path: string, length: number, to: NewFile, disk: Disk): Promise<void> {
  using from = disk.open(path);
  for (let done = 0; done < length; done += PIECE) {
    await to.write(from.read(done, Math.min(PIECE, length - done)));
  }
}
