/** Disks in memory with a GUID partition table that is put together byte by byte (UEFI §5.3). */
import { crc32 } from 'node:zlib';

/** A partition with its content; GUIDs as text. */
export interface Content {
  readonly type: string;
  readonly uuid: string;
  readonly bytes: Uint8Array;
}

const ENTRIES = 128;
const ENTRY_SIZE = 128;

/** Returns a disk whose partitions lie one behind the other, with both copies of its table. */
export function aDisk(contents: readonly Content[], sectorSize = 512): Uint8Array {
  const tableSectors = (ENTRIES * ENTRY_SIZE) / sectorSize;
  const first = 2 + tableSectors;
  const entries = new Uint8Array(ENTRIES * ENTRY_SIZE);
  const placed: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let next = first;
  for (const [index, { type, uuid, bytes }] of contents.entries()) {
    const sectors = Math.ceil(bytes.length / sectorSize);
    const entry = new DataView(entries.buffer, index * ENTRY_SIZE, ENTRY_SIZE);
    entries.set(onDisk(type), index * ENTRY_SIZE);
    entries.set(onDisk(uuid), index * ENTRY_SIZE + 16);
    entry.setBigUint64(32, BigInt(next), true);
    entry.setBigUint64(40, BigInt(next + sectors - 1), true);
    placed.push({ at: next * sectorSize, bytes });
    next += sectors;
  }
  const last = next + tableSectors;
  const disk = new Uint8Array((last + 1) * sectorSize);
  for (const { at, bytes } of placed) disk.set(bytes, at);
  const put = (own: number, other: number, table: number) => {
    const header = new Uint8Array(92);
    const view = new DataView(header.buffer);
    header.set(new TextEncoder().encode('EFI PART'));
    view.setUint32(8, 0x0001_0000, true);
    view.setUint32(12, 92, true);
    for (const [at, sector] of [
      [24, own],
      [32, other],
      [40, first],
      [48, next - 1],
      [72, table],
    ] as const) {
      view.setBigUint64(at, BigInt(sector), true);
    }
    view.setUint32(80, ENTRIES, true);
    view.setUint32(84, ENTRY_SIZE, true);
    view.setUint32(88, crc32(entries), true);
    view.setUint32(16, crc32(header), true);
    disk.set(header, own * sectorSize);
    disk.set(entries, table * sectorSize);
  };
  put(1, last, 2);
  put(last, 1, next);
  return disk;
}

/** The sixteen bytes of a GUID: its first three groups lie in reverse. */
function onDisk(guid: string): Uint8Array {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
