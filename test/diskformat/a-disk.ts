/** Disks of the tests: some bytes here and there, and what writes and reads them. */
import { randomFillSync } from 'node:crypto';
import type { ByteSource } from '../../src/byte-source.ts';
import type { Sink } from '../../src/diskformat/format.ts';
import { diskFormat } from '../../src/diskformat/formats.ts';

/** Bytes in memory that can be read into the caller's. */
export function diskOf(bytes: Uint8Array): Required<ByteSource> {
  const read = (offset: number, length: number) => bytes.subarray(offset, offset + length);
  return {
    size: bytes.length,
    read,
    readInto(offset, memory) {
      const part = read(offset, memory.length);
      memory.set(part);
      return memory.subarray(0, part.length);
    },
  };
}

/** A file in the making, in memory. */
class MemorySink implements Sink {
  bytes = new Uint8Array(0);

  writeAt(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.bytes.length) this.cut(offset + bytes.length);
    this.bytes.set(bytes, offset);
  }

  cut(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }
}

/** Sixteen bytes that are no zeros. */
export const identity = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

/** Writes a disk in a format. */
export async function written(format: string, disk: Required<ByteSource>): Promise<Uint8Array> {
  const sink = new MemorySink();
  await diskFormat(format, '').write(disk, sink, { identity });
  return sink.bytes;
}

/** A disk of megabytes with text, chance and holes in it. */
export function aDisk(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.fill(0x41, 0, 700);
  if (size > 2_000_000) {
    bytes.fill(0x42, 1_000_000, 1_300_000);
    randomFillSync(bytes, 1_500_000, 200_000);
  }
  bytes.fill(0x43, Math.max(0, size - 33 * 512));
  return bytes;
}
