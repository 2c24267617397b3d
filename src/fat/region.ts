/** The bytes that a FAT lies in: a file, a part of one, or memory. */
import type { ByteSource } from '../byte-source.ts';

/** Bytes that can be overwritten. Its size does not change. Offsets and sizes in bytes. */
export interface Region extends Required<ByteSource> {
  /** @throws {SHORT_WRITE} */
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Makes what was written durable. */
  sync(): void;
}

/** The size of a slot of a directory in bytes (FAT §Directory structure). */
export const SLOT = 32;
