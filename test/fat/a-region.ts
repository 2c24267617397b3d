/** Regions for tests: bytes in memory, and a log of what is written to them. */
import type { Region } from '../../src/fat/region.ts';

/** One write, or a moment at which everything before it is durable. Offsets in bytes. */
export type Written = { readonly offset: number; readonly bytes: Uint8Array } | 'sync';

/** Returns a region over memory. Every write is added to `log`, if there is one. */
export function memoryRegion(memory: Uint8Array, log?: Written[]): Region {
  const readInto = (offset: number, into: Uint8Array): Uint8Array => {
    const part = memory.subarray(offset, offset + into.length);
    into.set(part);
    return into.subarray(0, part.length);
  };
  return {
    size: memory.length,
    readInto,
    read: (offset, length) => memory.slice(offset, offset + Math.max(0, length)),
    writeAt(offset, bytes) {
      if (offset < 0 || offset + bytes.length > memory.length) throw new RangeError('outside');
      memory.set(bytes, offset);
      log?.push({ offset, bytes: Uint8Array.from(bytes) });
    },
    sync: () => void log?.push('sync'),
  };
}
