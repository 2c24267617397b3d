/** VDI, the format of VirtualBox (VDICore.h, version 1.1). Numbers are little-endian. Untrusted bytes. */
import type { ByteSource } from '../byte-source.ts';
import { blockSource, type DiskImage, malformed, placeIn, type WriteDisk } from './format.ts';
import { aligned, bigAt, isZero, viewOf } from './numbers.ts';

const TEXT = '<<< QEMU VM Virtual Disk Image >>>\n';
export const VDI_MAGIC = 0xbeda_107f;
/** Where that stands. */
export const VDI_MAGIC_AT = 64;
const FIELD = {
  version: 68,
  headerSize: 72,
  type: 76,
  map: 340,
  data: 344,
  sectorSize: 360,
  size: 368,
  blockSize: 376,
  blocks: 384,
  allocated: 388,
  uuid: 392,
  snapshot: 408,
  end: 512,
} as const;
const VERSION = 0x0001_0001;
const HEADER_SIZE = 0x180;
/** Types: blocks as they are written, and all of them in order. */
const DYNAMIC = 1;
const STATIC = 2;
const SECTOR = 512;
const BLOCK = 1024 * 1024;
/** In the map: never written, and written with zeros. */
const HOLE = 0xffff_ffff;
const ZEROS = 0xffff_fffe;
/** In blocks, as VirtualBox bounds it: half a PiB. */
const MAX_BLOCKS = 2 ** 29;

/** Writes a VDI whose blocks follow in the order of the disk. */
export const writeVdi: WriteDisk = async (disk, sink, { identity, progress }) => {
  const blocks = Math.ceil(disk.size / BLOCK);
  const map = new Uint8Array(aligned(blocks * 4, SECTOR)).fill(0xff, 0, blocks * 4);
  const mapView = viewOf(map);
  const data = FIELD.end + map.length;
  const memory = new Uint8Array(BLOCK);
  let allocated = 0;
  for (let block = 0; block < blocks; block++) {
    memory.fill(0);
    disk.readInto(block * BLOCK, memory);
    if (!isZero(memory)) {
      sink.writeAt(data + allocated * BLOCK, memory);
      mapView.setUint32(block * 4, allocated++, true);
    }
    await progress?.(Math.min(disk.size, (block + 1) * BLOCK));
  }
  sink.writeAt(FIELD.end, map);
  sink.writeAt(0, header(disk.size, blocks, allocated, data, identity));
  sink.cut(data + allocated * BLOCK);
};

function header(
  size: number,
  blocks: number,
  allocated: number,
  data: number,
  identity: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(FIELD.end);
  const view = viewOf(bytes);
  bytes.set(new TextEncoder().encode(TEXT));
  for (const [at, value] of [
    [VDI_MAGIC_AT, VDI_MAGIC],
    [FIELD.version, VERSION],
    [FIELD.headerSize, HEADER_SIZE],
    [FIELD.type, DYNAMIC],
    [FIELD.map, FIELD.end],
    [FIELD.data, data],
    [FIELD.sectorSize, SECTOR],
    [FIELD.blockSize, BLOCK],
    [FIELD.blocks, blocks],
    [FIELD.allocated, allocated],
  ] as const) {
    view.setUint32(at, value, true);
  }
  view.setBigUint64(FIELD.size, BigInt(size), true);
  bytes.set(identity, FIELD.uuid);
  // Another identifier than the disk's: that of its last change.
  bytes.set(identity.toReversed(), FIELD.snapshot);
  return bytes;
}

/**
 * Opens a VDI. `name` is its name in errors.
 * @throws {DISK_IMAGE_MALFORMED} when the header is damaged, or the disk is not all in this file
 */
export function openVdi(file: ByteSource, name: string): DiskImage {
  const bytes = new Uint8Array(FIELD.end);
  bytes.set(file.read(0, FIELD.end));
  const view = viewOf(bytes);
  const [version, type, mapAt, data, blockSize, blocks] = [
    ...[FIELD.version, FIELD.type, FIELD.map, FIELD.data, FIELD.blockSize, FIELD.blocks],
  ].map((at) => view.getUint32(at, true)) as [number, number, number, number, number, number];
  const size = bigAt(view, FIELD.size, true);
  if (version !== VERSION) throw malformed(name, 'a VDI of version 1.1', version.toString(16));
  if (type !== DYNAMIC && type !== STATIC) {
    throw malformed(name, 'a VDI that is all in this file', `type ${type}`);
  }
  const isSound = blockSize >= SECTOR && blocks <= MAX_BLOCKS && size <= blocks * blockSize;
  if (!isSound) throw malformed(name, `${size} bytes in blocks`, `${blocks} of ${blockSize} bytes`);
  const map = Uint8Array.from(file.read(mapAt, blocks * 4));
  if (map.length < blocks * 4)
    throw malformed(name, `a map of ${blocks} blocks`, `${map.length} bytes`);
  const mapView = viewOf(map);
  const find = (block: number): number | undefined => {
    const place = mapView.getUint32(block * 4, true);
    if (place === HOLE || place === ZEROS) return undefined;
    return placeIn(file, data + place * blockSize, `block ${block}`, name);
  };
  return { format: 'vdi', ...blockSource(file, size, blockSize, find) };
}
