/** How a recipe becomes the bytes of a file: copied, signed, or assembled while it is being written. */
import { createHash, type Hash } from 'node:crypto';
import { type Digest, digestOf } from '../digest.ts';
import type { Disk, FileStat, NewFile, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { authenticodeDigestInput } from '../pe/authenticode.ts';
import { attachSignature, signedLayout } from '../pe/certificate-table.ts';
import { createChecksum } from '../pe/checksum.ts';
import type { ImageLayout, Piece } from '../pe/image-layout.ts';
import type { Range } from '../pe/pe.ts';
import type { Content, SectionContent } from '../plan/step.ts';
import type { Signer } from '../signer/signer.ts';
import { kernelTraits } from '../uki/kernel.ts';
import { ukiLayout } from '../uki/uki.ts';

/** What a recipe needs to become bytes. */
export interface Workshop {
  readonly disk: WritableDisk;
  readonly signer: Signer;
  /** The sources as they were when their digests were taken, by path. */
  readonly sources: ReadonlyMap<string, FileStat>;
}

/** Stubs and boot loaders are some hundred KiB. Bytes. */
const STUB_LIMIT = 16 * 1024 * 1024;
/** Small enough to stay in the processor's cache from being read to being written. */
const CHUNK = 256 * 1024;

/**
 * Writes content to a new file, makes it durable and returns its size in bytes. Memory does not grow
 * with the size.
 * @throws {SOURCE_CHANGED} when a source is not the file any more whose digest was taken
 */
export async function writeContent(
  content: Content,
  path: string,
  workshop: Workshop,
): Promise<number> {
  const { disk } = workshop;
  switch (content.kind) {
    case 'text': {
      const bytes = new TextEncoder().encode(content.text);
      await fill(disk, path, (file) => file.write(bytes));
      return bytes.length;
    }
    case 'file':
      await disk.copy(content.path, path);
      requireUnchanged([content.path], workshop);
      return disk.stat(path)?.size ?? 0;
    case 'signed': {
      const source = disk.open(content.path);
      try {
        const layout = signedFile(source, content.path, workshop.signer);
        await fill(disk, path, (file) => stream(layout.pieces, disk, (bytes) => file.write(bytes)));
        requireUnchanged([content.path], workshop);
        return layout.size;
      } finally {
        source.close();
      }
    }
    case 'uki':
      return writeImage(content, path, workshop);
  }
}

/** Makes a file, fills it and makes it durable; nothing is left open when that fails. */
async function fill(
  disk: WritableDisk,
  path: string,
  work: (file: NewFile) => Promise<void>,
): Promise<void> {
  const file = await disk.create(path);
  try {
    await work(file);
  } catch (error) {
    await file.abandon();
    throw error;
  }
  await file.finish();
}

function requireUnchanged(paths: readonly string[], { disk, sources }: Workshop): void {
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

/** Returns the layout of a PE file with our signature added. */
function signedFile(source: ReturnType<Disk['open']>, path: string, signer: Signer): ImageLayout {
  const sha256 = createHash('sha256');
  for (const bytes of authenticodeDigestInput(source)) sha256.update(bytes);
  const signature = signer.sign(sha256.digest());
  if (!signature) throw new EspError('SIGNER_FAILED', `${path}: there is no key to sign it with`);
  return signedLayout(source, path, signature);
}

/**
 * Returns size in bytes and digest of a PE file with our signature added, without writing it.
 * @param known the digest from an earlier run: then only the headers are read
 */
export async function describeSigned(
  path: string,
  disk: Disk,
  signer: Signer,
  known?: Digest,
): Promise<{ size: number; digest: Digest }> {
  const source = disk.open(path);
  try {
    if (known) return { size: signedSize(source, path, signer), digest: known };
    const layout = signedFile(source, path, signer);
    const sha256 = createHash('sha256');
    await stream(layout.pieces, disk, async (bytes) => void sha256.update(bytes));
    return { size: layout.size, digest: digestOf(sha256.digest()) };
  } finally {
    source.close();
  }
}

/** Every signature of one key has the same size, so one over anything tells it. */
function signedSize(source: ReturnType<Disk['open']>, path: string, signer: Signer): number {
  const signature = signer.sign(new Uint8Array(32)) ?? new Uint8Array();
  return signedLayout(source, path, signature).size;
}

/** Returns how a stub and the sections of a recipe come together. */
function imageLayout(
  { stub, sections }: { stub: string; sections: readonly SectionContent[] },
  disk: Disk,
): ImageLayout {
  const linux = sections.find(({ name }) => name === '.linux');
  if (linux?.content.kind !== 'file') throw new RangeError('"sections" expected a .linux file');
  const kernel = disk.open(linux.content.path);
  try {
    return ukiLayout(
      disk.read(stub, STUB_LIMIT),
      sections.map(({ name, size, content }) => ({
        name,
        content:
          content.kind === 'text'
            ? { kind: 'bytes', bytes: new TextEncoder().encode(content.text) }
            : { kind: 'file', path: content.path, size },
      })),
      kernelTraits(kernel, linux.content.path),
    );
  } finally {
    kernel.close();
  }
}

/** Assembles an image while it is written: read once, hashed and summed as it passes, signed last. */
async function writeImage(
  recipe: Extract<Content, { kind: 'uki' }>,
  path: string,
  workshop: Workshop,
): Promise<number> {
  const { disk, signer } = workshop;
  const layout = imageLayout(recipe, disk);
  const { checksumOffset, certificateEntryOffset } = layout;
  const sha256 = createHash('sha256');
  const checksum = createChecksum();
  let size = layout.size;
  await fill(disk, path, async (file) => {
    let offset = 0;
    await stream(layout.pieces, disk, (bytes) => {
      const written = file.write(bytes);
      hashCovered(sha256, bytes, offset, layout.digestRanges);
      checksum.update(bytes);
      offset += bytes.length;
      return written;
    });
    const signature = signer.sign(sha256.digest());
    if (signature) {
      const { append, entry } = attachSignature({ size, certificateEntryOffset }, signature);
      await file.write(append);
      await file.writeAt(entry.offset, entry.bytes);
      // The entry is 8-byte aligned in the file, so its share of the sum does not depend on where it is.
      checksum.update(append);
      checksum.update(entry.bytes);
      size += append.length;
    }
    const sum = new Uint8Array(4);
    new DataView(sum.buffer).setUint32(0, checksum.finish(size), true);
    await file.writeAt(checksumOffset, sum);
  });
  requireUnchanged(
    recipe.sections.flatMap(({ content }) => (content.kind === 'file' ? [content.path] : [])),
    workshop,
  );
  return size;
}

/** Feeds a hash those bytes of a chunk that the Authenticode digest covers. */
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

/**
 * Hands out the bytes of pieces in order, at most 1 MiB at a time. While one chunk is on its way
 * through the sink, the next is being read.
 */
async function stream(
  pieces: readonly Piece[],
  disk: Disk,
  sink: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let pending: Promise<void> = Promise.resolve();
  try {
    for (const bytes of chunks(pieces, disk)) {
      await pending;
      pending = sink(bytes);
    }
  } finally {
    await pending;
  }
}

function* chunks(pieces: readonly Piece[], disk: Disk): Generator<Uint8Array> {
  const memory = alternating();
  for (const piece of pieces) {
    if (piece.kind === 'bytes') yield piece.bytes;
    else if (piece.kind === 'zeros') yield new Uint8Array(piece.size);
    else yield* fileChunks(piece, disk, memory);
  }
}

/**
 * Returns two buffers in turns, across all files of an image: one is read into while the other is
 * being written. New memory for every chunk would cost more than reading it.
 */
function alternating(): () => Uint8Array {
  let [next, other] = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  return () => {
    [next, other] = [other, next];
    return next;
  };
}

function* fileChunks(
  { path, offset, size }: Extract<Piece, { kind: 'file' }>,
  disk: Disk,
  nextMemory: () => Uint8Array,
): Generator<Uint8Array> {
  const file = disk.open(path);
  try {
    for (let done = 0; done < size; ) {
      const bytes = file.readInto(offset + done, nextMemory().subarray(0, size - done));
      if (bytes.length === 0) {
        throw new EspError(
          'SOURCE_CHANGED',
          `${path}: ends at ${offset + done} of ${offset + size} bytes`,
        );
      }
      yield bytes;
      done += bytes.length;
    }
  } finally {
    file.close();
  }
}
