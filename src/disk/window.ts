/** A part of a file or device as if it were all of it. */
import type { Region } from '../fat/region.ts';
import type { RawFile } from '../process/machine.ts';

/**
 * Returns the bytes from `offset` on, `size` of them. A write that reaches beyond their end is refused
 * whole: a raw file would grow, or its next partition be written to.
 */
export function windowOf(
  file: Pick<RawFile, 'readInto' | 'writeAt' | 'sync'>,
  offset: number,
  size: number,
): Region {
  const within = (at: number, length: number) => Math.max(0, Math.min(length, size - at));
  const readInto = (at: number, memory: Uint8Array) =>
    file.readInto(offset + at, memory.subarray(0, within(at, memory.length)));
  return {
    size,
    readInto,
    read: (at, length) => readInto(at, new Uint8Array(within(at, length))),
    writeAt(at, bytes) {
      if (at < 0 || at + bytes.length > size) {
        throw new RangeError(`${bytes.length} bytes at ${at} of ${size}`);
      }
      file.writeAt(offset + at, bytes);
    },
    sync: () => file.sync(),
  };
}
