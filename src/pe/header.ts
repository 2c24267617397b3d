/** Reading fields of an untrusted header: little-endian, bounded, and with words for what is wrong. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';

/** Headers are small; what claims to lie further in is damage. Bytes. */
const MAX_HEADER_BYTES = 1024 * 1024;
const FIRST_READ = 4096;

/** The start of a file. Every read throws PE_MALFORMED past the file's end. */
export interface Header {
  u16(offset: number): number;
  u32(offset: number): number;
  bytes(offset: number, length: number): Uint8Array;
  fault(what: string, offset: number, expected: string, got: string): EspError;
}

/**
 * Opens the headers of a file.
 * @param name what messages call the file
 */
export function openHeader(source: ByteSource, name: string): Header {
  const limit = Math.min(source.size, MAX_HEADER_BYTES);
  let block = source.read(0, Math.min(limit, FIRST_READ));
  const fault: Header['fault'] = (what, offset, expected, got) =>
    new EspError(
      'PE_MALFORMED',
      `${name}: ${what} at offset ${hex(offset)}: expected ${expected}, got ${got}`,
    );
  const bytes: Header['bytes'] = (offset, length) => {
    const end = offset + length;
    if (end > block.length && end <= limit) block = source.read(0, end);
    if (end <= block.length) return block.subarray(offset, end);
    throw fault('header', offset, `${length} bytes`, `${Math.max(0, limit - offset)} to read`);
  };
  const view = (offset: number, length: number) => {
    const read = bytes(offset, length);
    return new DataView(read.buffer, read.byteOffset, length);
  };
  return {
    bytes,
    fault,
    u16: (offset) => view(offset, 2).getUint16(0, true),
    u32: (offset) => view(offset, 4).getUint32(0, true),
  };
}

/** Returns an offset as messages show it. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
