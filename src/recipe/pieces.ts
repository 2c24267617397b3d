/** Reads the bytes of an image's pieces once and hands them on. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { signedLayout } from '../pe/certificate-table.ts';
import type { ImageLayout, Piece } from '../pe/image-layout.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import type { Signer } from '../signer/signer.ts';

/**
 * In bytes. A chunk stays in the processor's cache between reading and writing; each smaller one would
 * be another trip to the thread that writes.
 */
const CHUNK = 512 * 1024;

/** Returns the layout of a PE file with our signature added. */
export function signedFile(
  source: ReturnType<Disk['open']>,
  path: string,
  signer: Signer,
): ImageLayout {
  const signature = signer.sign(authenticodeDigest(source));
  if (!signature) throw new EspError('SIGNER_FAILED', `${path}: there is no key to sign it with`);
  return signedLayout(source, path, signature);
}

/**
 * Hands out the bytes of pieces in order, at most 1 MiB at a time. It reads the next chunk while
 * the sink takes the one before.
 */
export async function stream(
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
 * Returns two buffers in turn, for all files of an image: one is read into while the other is
 * written. Allocating memory for every chunk would cost more than reading it.
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
  using file = disk.open(path);
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
}
