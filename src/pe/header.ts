/**
 * Reads fields of an untrusted header: little-endian, within bounds, with an error that says what
 * is wrong.
 */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';

/** In bytes. Headers are small, so one that claims to lie further in is damaged. */
const MAX_HEADER_BYTES = 1024 * 1024;
/**
 * Bytes per read: enough for the headers of most images. A hostile header costs no more than its
 * offset.
 */
const WINDOW = 4096;

/** The start of a file. A read past the end of the file throws PE_MALFORMED. */
export interface Header {
  u16(offset: number): number;
  u32(offset: number): number;
  bytes(offset: number, length: number): Uint8Array;
  fault(what: string, offset: number, expected: string, got: string): EspError;
}

/**
 * Opens the headers of a file.
 * @param name the file's name in errors
 */
export function openHeader(source: ByteSource, name: string): Header {
  const limit = Math.min(source.size, MAX_HEADER_BYTES);
  let start = 0;
  let block = source.read(0, Math.min(limit, WINDOW));
  const fault: Header['fault'] = (what, offset, expected, got) =>
    new EspError(
      'PE_MALFORMED',
      `${name}: ${what} at offset ${hex(offset)}: expected ${expected}, got ${got}`,
    );
  const bytes: Header['bytes'] = (offset, length) => {
    const end = offset + length;
    if ((offset < start || end > start + block.length) && end <= limit) {
      start = offset;
      block = source.read(start, Math.min(limit - start, Math.max(length, WINDOW)));
    }
    const at = offset - start;
    if (at >= 0 && at + length <= block.length) return block.subarray(at, at + length);
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

/** Returns an offset or an address as messages show it. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
