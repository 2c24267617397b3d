/** VHD, fixed and dynamic (Virtual Hard Disk Image Format Specification 1.0). Numbers are big-endian. Untrusted bytes. */
import type { ByteSource } from '../byte-source.ts';
import { blockSource, type DiskImage, malformed, placeIn, type WriteDisk } from './format.ts';
import { aligned, bigAt, isZero, viewOf } from './numbers.ts';
import { writeRaw } from './raw.ts';

const VHD_COOKIE = 'conectix';
const FOOTER_SIZE = 512;
const FOOTER = {
  features: 8,
  version: 12,
  data: 16,
  creator: 28,
  original: 40,
  size: 48,
  geometry: 56,
  type: 60,
  checksum: 64,
  uuid: 68,
} as const;
const RESERVED_FEATURE = 2;
const VERSION = 0x0001_0000;
/** Readers that know this creator take the size as it is, and not from the geometry. */
const CREATOR = 'qem2';
/** The largest geometry there is: cylinders, heads, sectors. */
const GEOMETRY = [0xff, 0xff, 0x10, 0xff];
const FIXED = 2;
const DYNAMIC = 3;
const NONE = 0xffff_ffff_ffff_ffffn;

const SPARSE_COOKIE = 'cxsparse';
const SPARSE_SIZE = 1024;
const SPARSE = {
  data: 8,
  table: 16,
  version: 24,
  blocks: 28,
  blockSize: 32,
  checksum: 36,
} as const;
const BLOCK = 2 * 1024 * 1024;
const SECTOR = 512;
const HOLE = 0xffff_ffff;
/** In bytes, by the specification: what 32-bit numbers of sectors can reach. */
const MAX_VHD = 2040 * 1024 ** 3;

/** Writes a dynamic VHD whose blocks follow in the order of the disk. */
export const writeVhd: WriteDisk = async (disk, sink, { identity, progress }) => {
  const size = sizeOf(disk.size);
  const blocks = Math.ceil(size / BLOCK);
  const table = new Uint8Array(aligned(blocks * 4, SECTOR)).fill(0xff);
  const tableAt = FOOTER_SIZE + SPARSE_SIZE;
  const memory = new Uint8Array(SECTOR + BLOCK);
  const block = memory.subarray(SECTOR);
  let end = tableAt + table.length;
  for (let index = 0; index < blocks; index++) {
    block.fill(0);
    disk.readInto(index * BLOCK, block);
    if (!isZero(block)) {
      // The map of sectors that are there: all.
      memory.fill(0xff, 0, SECTOR);
      sink.writeAt(end, memory);
      viewOf(table).setUint32(index * 4, end / SECTOR);
      end += memory.length;
    }
    await progress?.(Math.min(disk.size, (index + 1) * BLOCK));
  }
  const end512 = footer(size, DYNAMIC, BigInt(FOOTER_SIZE), identity);
  sink.writeAt(0, end512);
  sink.writeAt(FOOTER_SIZE, sparseHeader(tableAt, blocks));
  sink.writeAt(tableAt, table);
  sink.writeAt(end, end512);
  sink.cut(end + FOOTER_SIZE);
};

/** Writes a fixed VHD: the disk, and a footer behind it. */
export const writeVhdFixed: WriteDisk = async (disk, sink, settings) => {
  const size = sizeOf(disk.size);
  await writeRaw(disk, sink, settings);
  sink.writeAt(size, footer(size, FIXED, NONE, settings.identity));
};

function sizeOf(size: number): number {
  if (size > MAX_VHD) throw malformed('VHD', `a disk of at most ${MAX_VHD} bytes`, size);
  return aligned(size, SECTOR);
}

function footer(size: number, type: number, data: bigint, identity: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FOOTER_SIZE);
  const view = viewOf(bytes);
  bytes.set(new TextEncoder().encode(VHD_COOKIE));
  view.setUint32(FOOTER.features, RESERVED_FEATURE);
  view.setUint32(FOOTER.version, VERSION);
  view.setBigUint64(FOOTER.data, data);
  bytes.set(new TextEncoder().encode(CREATOR), FOOTER.creator);
  view.setBigUint64(FOOTER.original, BigInt(size));
  view.setBigUint64(FOOTER.size, BigInt(size));
  bytes.set(GEOMETRY, FOOTER.geometry);
  view.setUint32(FOOTER.type, type);
  bytes.set(identity, FOOTER.uuid);
  view.setUint32(FOOTER.checksum, checksum(bytes, FOOTER.checksum));
  return bytes;
}

function sparseHeader(tableAt: number, blocks: number): Uint8Array {
  const bytes = new Uint8Array(SPARSE_SIZE);
  const view = viewOf(bytes);
  bytes.set(new TextEncoder().encode(SPARSE_COOKIE));
  view.setBigUint64(SPARSE.data, NONE);
  view.setBigUint64(SPARSE.table, BigInt(tableAt));
  view.setUint32(SPARSE.version, VERSION);
  view.setUint32(SPARSE.blocks, blocks);
  view.setUint32(SPARSE.blockSize, BLOCK);
  view.setUint32(SPARSE.checksum, checksum(bytes, SPARSE.checksum));
  return bytes;
}

/** The ones' complement of the sum of all bytes but its own. */
function checksum(bytes: Uint8Array, own: number): number {
  const sum = bytes.reduce((all, byte, at) => (at >= own && at < own + 4 ? all : all + byte), 0);
  return ~sum >>> 0;
}

/**
 * Returns the footer of a VHD, or of one that lost it the copy before the disk; undefined when there
 * is neither.
 */
export function vhdFooter(file: ByteSource): Uint8Array | undefined {
  for (const at of [file.size - FOOTER_SIZE, 0]) {
    if (at < 0) continue;
    const bytes = Uint8Array.from(file.read(at, FOOTER_SIZE));
    const cookie = String.fromCharCode(...bytes.subarray(0, VHD_COOKIE.length));
    if (bytes.length === FOOTER_SIZE && cookie === VHD_COOKIE) return bytes;
  }
  return undefined;
}

/**
 * Opens a VHD, whose footer {@link vhdFooter} found. `name` is its name in errors.
 * @throws {DISK_IMAGE_MALFORMED} when it is damaged, or the disk is not all in this file
 */
export function openVhd(file: ByteSource, footerBytes: Uint8Array, name: string): DiskImage {
  const view = viewOf(footerBytes);
  const expected = checksum(footerBytes, FOOTER.checksum);
  if (view.getUint32(FOOTER.checksum) !== expected) {
    throw malformed(
      name,
      `a footer with the checksum ${expected}`,
      view.getUint32(FOOTER.checksum),
    );
  }
  const size = sizeIn(footerBytes);
  const type = view.getUint32(FOOTER.type);
  if (!Number.isSafeInteger(size) || size > MAX_VHD) throw malformed(name, 'a size of VHD', size);
  if (type === DYNAMIC) return openDynamic(file, size, bigAt(view, FOOTER.data), name);
  if (type !== FIXED) throw malformed(name, 'a fixed or dynamic VHD', `type ${type}`);
  if (size + FOOTER_SIZE > file.size)
    throw malformed(name, `${size} bytes`, file.size - FOOTER_SIZE);
  return { format: 'vpc-fixed', ...blockSource(file, size, BLOCK, (block) => block * BLOCK) };
}

/** QEMU's own older images have their size in the geometry; ours, Hyper-V's and Azure's have it here. */
function sizeIn(footerBytes: Uint8Array): number {
  const view = viewOf(footerBytes);
  const creator = String.fromCharCode(...footerBytes.subarray(FOOTER.creator, FOOTER.creator + 4));
  const [cylinders, heads, sectors] = [
    view.getUint16(FOOTER.geometry),
    view.getUint8(FOOTER.geometry + 2),
    view.getUint8(FOOTER.geometry + 3),
  ];
  const byGeometry = cylinders * heads * sectors * SECTOR;
  const isLargest = cylinders === 0xffff && heads === 16 && sectors === 255;
  const isByGeometry = ['vpc ', 'vs  ', 'qemu'].includes(creator) && !isLargest;
  return isByGeometry ? byGeometry : bigAt(view, FOOTER.size);
}

function openDynamic(file: ByteSource, size: number, at: number, name: string): DiskImage {
  const header = Uint8Array.from(file.read(at, SPARSE_SIZE));
  const cookie = String.fromCharCode(...header.subarray(0, SPARSE_COOKIE.length));
  if (header.length < SPARSE_SIZE || cookie !== SPARSE_COOKIE) {
    throw malformed(name, `a dynamic header at offset ${at}`, JSON.stringify(cookie));
  }
  const view = viewOf(header);
  const [blocks, blockSize] = [view.getUint32(SPARSE.blocks), view.getUint32(SPARSE.blockSize)];
  const isSound =
    blockSize >= SECTOR && blockSize <= 2 ** 30 && Number.isInteger(Math.log2(blockSize));
  if (!isSound || blocks > 2 ** 24 || size > blocks * blockSize) {
    throw malformed(name, `${size} bytes in blocks`, `${blocks} of ${blockSize} bytes`);
  }
  const table = Uint8Array.from(file.read(bigAt(view, SPARSE.table), blocks * 4));
  if (table.length < blocks * 4)
    throw malformed(name, `a table of ${blocks} blocks`, `${table.length} bytes`);
  const tableView = viewOf(table);
  // Before the block is a map of its sectors. What it says is not there is zeros in the block, too.
  const mapSize = aligned(blockSize / SECTOR / 8, SECTOR);
  const find = (block: number): number | undefined => {
    const sector = tableView.getUint32(block * 4);
    if (sector === HOLE) return undefined;
    return placeIn(file, sector * SECTOR + mapSize, `block ${block}`, name);
  };
  return { format: 'vpc', ...blockSource(file, size, blockSize, find) };
}
