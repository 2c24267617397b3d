/** The formats of virtual disks: how each is written and read. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';

/** Where an image is written: a new file, whose bytes are zeros. */
export interface Sink {
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Ends the file at a size in bytes, or makes it as long with zeros. */
  cut(size: number): void;
}

/** What a format writes beside the disk. */
export interface WriteSettings {
  /** What would be random: sixteen bytes, for formats with identifiers. */
  readonly identity: Uint8Array;
  /** Called with how many bytes of the disk are done. */
  readonly progress?: (done: number) => Promise<unknown> | undefined;
}

/** Writes a disk in a format. Holes and zeros take no room, where the format can leave them out. */
export type WriteDisk = (
  disk: Required<ByteSource>,
  sink: Sink,
  settings: WriteSettings,
) => Promise<void>;

/** A disk image that is open: the disk in it as bytes. */
export interface DiskImage extends Required<ByteSource> {
  /** As {@link DISK_FORMATS} has it. */
  readonly format: string;
}

/** Returns the error for an image that is damaged, or needs what we do not know. */
export function malformed(
  name: string,
  expected: string,
  got: string | number,
  hint?: string,
): EspError {
  return new EspError('DISK_IMAGE_MALFORMED', `${name}: expected ${expected}, got ${got}`, {
    hint,
  });
}

/** Where the bytes of a block are: at an offset of the file, here, or nowhere, because they are zeros. */
export type Place = number | Uint8Array | undefined;

/**
 * Returns the place of a block that begins at an offset.
 * @throws {DISK_IMAGE_MALFORMED} when the file ends before it
 */
export function placeIn(file: ByteSource, offset: number, what: string, name: string): number {
  if (offset < file.size) return offset;
  throw malformed(name, `${what} in the file`, `offset ${offset}`);
}

/** Returns a source over blocks whose places `find` looks up. */
export function blockSource(
  file: ByteSource,
  size: number,
  blockSize: number,
  find: (block: number) => Place,
): Required<ByteSource> {
  const readInto = (offset: number, memory: Uint8Array): Uint8Array => {
    const length = Math.max(0, Math.min(memory.length, size - offset));
    for (let done = 0; done < length; ) {
      const [block, within] = [
        Math.floor((offset + done) / blockSize),
        (offset + done) % blockSize,
      ];
      const part = memory.subarray(done, done + Math.min(length - done, blockSize - within));
      copyPart(file, find(block), within, part);
      done += part.length;
    }
    return memory.subarray(0, length);
  };
  return {
    size,
    readInto,
    read: (offset, length) =>
      readInto(offset, new Uint8Array(Math.max(0, Math.min(length, size - offset)))),
  };
}

function copyPart(file: ByteSource, place: Place, within: number, part: Uint8Array): void {
  part.fill(0);
  if (place === undefined) return;
  if (typeof place !== 'number') part.set(place.subarray(within, within + part.length));
  else if (file.readInto !== undefined) file.readInto(place + within, part);
  else part.set(file.read(place + within, part.length));
}
