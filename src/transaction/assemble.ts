/** Assembles an image: its pieces are read once, hashed and summed on the way, and signed last. */
import { createHash, type Hash } from 'node:crypto';
import type { Range } from '../byte-source.ts';
import type { Progress } from '../context.ts';
import type { Disk, FileStat, NewFile, Readers, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { attachSignature } from '../pe/certificate-table.ts';
import { createChecksum } from '../pe/checksum.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { stream } from '../recipe/pieces.ts';
import type { Signer } from '../signer/signer.ts';

/** What assembling an image needs. */
export interface Assembling {
  readonly disk: WritableDisk;
  readonly signer: Signer;
  /** Who may read it: its owner alone unless set, because an image may carry secrets. */
  readonly readers?: Readers;
  /** Hears how many bytes are written. */
  readonly progress?: Progress;
}

/**
 * Assembles an image as a new file, signs it, makes it durable and returns its size in bytes. Memory
 * does not grow with the size.
 */
export async function assemble(
  layout: ImageLayout,
  path: string,
  { disk, signer, readers, progress }: Assembling,
): Promise<number> {
  const { checksumOffset, certificateEntryOffset } = layout;
  const sha256 = createHash('sha256');
  const checksum = createChecksum();
  let size = layout.size;
  await fill(
    disk,
    path,
    async (file) => {
      let offset = 0;
      await stream(layout.pieces, disk, (bytes) => {
        const written = file.write(bytes);
        hashCovered(sha256, bytes, offset, layout.digestRanges);
        checksum.update(bytes);
        offset += bytes.length;
        progress?.advance(bytes.length);
        return written;
      });
      const signature = signer.sign(sha256.digest());
      if (signature) {
        const { append, entry } = attachSignature({ size, certificateEntryOffset }, signature);
        await file.write(append);
        await file.writeAt(entry.offset, entry.bytes);
        // The entry is 8-byte aligned in the file, so the checksum does not depend on its offset.
        checksum.update(append);
        checksum.update(entry.bytes);
        size += append.length;
      }
      const sum = new Uint8Array(4);
      new DataView(sum.buffer).setUint32(0, checksum.finish(size), true);
      await file.writeAt(checksumOffset, sum);
    },
    readers,
  );
  return size;
}

/** Makes a file, fills it and makes it durable. It closes the file when that fails. */
export async function fill(
  disk: WritableDisk,
  path: string,
  work: (file: NewFile) => Promise<void>,
  readers?: Readers,
): Promise<void> {
  const file = await disk.create(path, readers);
  try {
    await work(file);
  } catch (error) {
    await file.abandon();
    throw error;
  }
  await file.finish();
}

/** The sources of an image as they were when they were first read, by path. */
export interface Sources {
  readonly disk: Disk;
  readonly sources: ReadonlyMap<string, FileStat>;
}

/**
 * Checks that every source still is the same file with the same content.
 * @throws {SOURCE_CHANGED}
 */
export function requireUnchanged(paths: readonly string[], { disk, sources }: Sources): void {
  for (const path of paths) {
    const before = sources.get(path);
    const now = disk.stat(path);
    const same =
      before === undefined ||
      (now?.inode === before.inode &&
        now.size === before.size &&
        now.modified === before.modified &&
        now.changed === before.changed);
    if (!same) {
      throw new EspError('SOURCE_CHANGED', `${path}: it changed while it was being installed`, {
        hint: 'run again when nothing writes to it any more',
      });
    }
  }
}

/** Feeds a hash the bytes of a chunk that the Authenticode digest covers. */
function hashCovered(
  sha256: Hash,
  bytes: Uint8Array,
  offset: number,
  ranges: readonly Range[],
): void {
  for (const range of ranges) {
    const start = Math.max(range.offset, offset);
    const end = Math.min(range.offset + range.size, offset + bytes.length);
    if (start < end) sha256.update(bytes.subarray(start - offset, end - offset));
  }
}
