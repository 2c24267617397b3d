/** The superblock of EROFS. */
import { EspError } from '../error.ts';
import {
  BLOCK_BITS,
  HAS_CHECKSUM,
  HAS_TIMES,
  MAGIC,
  MAX_LABEL,
  SUPERBLOCK,
  SUPERBLOCK_OFFSET,
} from './format.ts';
import type { Layout } from './layout.ts';

/** What an image says of itself. */
export interface Identity {
  /** Sixteen bytes, in the order of the text. */
  readonly uuid: Uint8Array;
  /** At most 16 bytes. */
  readonly label: string;
  /** When it was made, in seconds since the epoch. */
  readonly time: number;
}

/**
 * Writes the superblock into the first block, which has everything else already.
 * @throws {CONFIG_INVALID} when the label is too long
 */
export function writeSuperblock(first: Uint8Array, layout: Layout, identity: Identity): void {
  const label = new TextEncoder().encode(identity.label);
  if (label.length > MAX_LABEL) {
    throw new EspError(
      'CONFIG_INVALID',
      `label ${JSON.stringify(identity.label)}: expected at most ${MAX_LABEL} bytes for EROFS, got ${label.length}`,
    );
  }
  const bytes = first.subarray(SUPERBLOCK_OFFSET);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(SUPERBLOCK.magic, MAGIC, true);
  view.setUint32(SUPERBLOCK.compatible, HAS_CHECKSUM | HAS_TIMES, true);
  view.setUint8(SUPERBLOCK.blockBits, BLOCK_BITS);
  view.setUint16(SUPERBLOCK.rootNumber, layout.inodeNumber(0), true);
  view.setBigUint64(SUPERBLOCK.inodes, BigInt(layout.inodes), true);
  view.setBigUint64(SUPERBLOCK.time, BigInt(identity.time), true);
  view.setUint32(SUPERBLOCK.blocks, layout.blocks, true);
  bytes.set(identity.uuid, SUPERBLOCK.uuid);
  bytes.set(label, SUPERBLOCK.label);
  view.setUint32(SUPERBLOCK.checksum, crc32c(bytes), true);
}

/** The polynomial of CRC-32C, reversed. */
const POLYNOMIAL = 0x82f6_3b78;

/** Returns the CRC-32C that Linux computes: without the inversion at its end. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  }
  return crc >>> 0;
}
