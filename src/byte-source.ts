/** Random-access bytes: what parsers read from, so that a header costs a header and not a file. */

/** Bytes of known size that can be read in pieces. Offsets and lengths are in bytes. */
export interface ByteSource {
  readonly size: number;
  /** Returns `length` bytes at `offset`, or fewer where the source ends. */
  read(offset: number, length: number): Uint8Array;
  /** As `read`, into memory of the caller, as much as fits; returns the part that was filled. */
  readInto?(offset: number, memory: Uint8Array): Uint8Array;
}

/** Returns a source over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** Returns bytes without the zeros at their end: what pads a section, a partition or a variable. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}
