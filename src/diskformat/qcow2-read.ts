/** Reads qcow2, versions 2 and 3 (QEMU, docs/interop/qcow2.txt). Untrusted bytes. */
import { constants, inflateRawSync, zstdDecompressSync } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import { blockSource, type DiskImage, malformed, type Place, placeIn } from './format.ts';
import { bigAt, viewOf } from './numbers.ts';
import {
  ALL_ZEROS,
  COMPRESSED,
  CORRUPT,
  DIRTY,
  HAS_COMPRESSION,
  HEADER,
  OFFSET_MASK,
  SECTOR,
  V2_LENGTH,
  V3_LENGTH,
  ZLIB,
  ZSTD,
} from './qcow2-layout.ts';

/** As QEMU bounds them: bits of a cluster's size, and bytes of the first table. */
const CLUSTER_BITS = { least: 9, most: 21 } as const;
const MAX_L1 = 32 * 1024 * 1024;
/** How many tables of the second level are kept: each is a cluster. */
const KEPT_TABLES = 16;

interface Header {
  readonly size: number;
  readonly clusterBits: number;
  readonly l1: number;
  readonly l1Entries: number;
  readonly compression: number;
}

/**
 * Opens a qcow2 image. `name` is its name in errors.
 * @throws {DISK_IMAGE_MALFORMED} when the header is damaged, or the disk is not all in this file
 */
export function openQcow2(file: ByteSource, name: string): DiskImage {
  const header = readHeader(file, name);
  const { size, clusterBits, l1Entries } = header;
  const cluster = 2 ** clusterBits;
  const entries = cluster / 8;
  const l1Bytes = file.read(header.l1, l1Entries * 8);
  if (l1Bytes.length < l1Entries * 8) throw malformed(name, 'a whole table of clusters', 'its end');
  const l1 = viewOf(Uint8Array.from(l1Bytes));
  const tables = new Map<number, DataView>();
  const table = (offset: number): DataView => {
    const there = tables.get(offset);
    if (there !== undefined) return there;
    if (tables.size >= KEPT_TABLES) tables.clear();
    const view = viewOf(Uint8Array.from(inside(file, offset, cluster, name)));
    tables.set(offset, view);
    return view;
  };
  const find = (block: number): Place => {
    const l2 = Number(l1.getBigUint64(Math.floor(block / entries) * 8) & OFFSET_MASK);
    if (l2 === 0) return undefined;
    const entry = table(l2).getBigUint64((block % entries) * 8);
    if ((entry & COMPRESSED) !== 0n) return unpacked(file, entry, header, name);
    const offset = Number(entry & OFFSET_MASK);
    if (offset === 0 || (entry & ALL_ZEROS) !== 0n) return undefined;
    return placeIn(file, offset, `cluster ${block}`, name);
  };
  return { format: 'qcow2', ...blockSource(file, size, cluster, cached(find)) };
}

/** Keeps what was found last: a compressed cluster is read in pieces. */
function cached(find: (block: number) => Place): (block: number) => Place {
  let last: { readonly block: number; readonly place: Place } | undefined;
  return (block) => {
    if (last?.block !== block) last = { block, place: find(block) };
    return last.place;
  };
}

function readHeader(file: ByteSource, name: string): Header {
  const bytes = new Uint8Array(V3_LENGTH);
  bytes.set(file.read(0, V3_LENGTH));
  const view = viewOf(bytes);
  const version = view.getUint32(HEADER.version);
  if (version !== 2 && version !== 3) throw malformed(name, 'qcow2 of version 2 or 3', version);
  const length = version === 2 ? V2_LENGTH : view.getUint32(HEADER.length);
  const features = version === 2 ? 0 : bigAt(view, HEADER.incompatible);
  const hasKind = (features & HAS_COMPRESSION) !== 0 && length > HEADER.compression;
  const header = {
    size: bigAt(view, HEADER.size),
    clusterBits: view.getUint32(HEADER.clusterBits),
    l1: bigAt(view, HEADER.l1),
    l1Entries: view.getUint32(HEADER.l1Entries),
    compression: hasKind ? view.getUint8(HEADER.compression) : ZLIB,
  };
  requireOwn(view, features, name);
  requireBounds(header, name);
  return header;
}

/** Refuses what says that the disk is elsewhere as well, or in a form that is not known. */
function requireOwn(view: DataView, features: number, name: string): void {
  const hint = 'make it whole with qemu-img convert first';
  if (bigAt(view, HEADER.backing) !== 0) {
    throw malformed(name, 'a disk that is all in this file', 'one with a backing file', hint);
  }
  if (view.getUint32(HEADER.encryption) !== 0) {
    throw malformed(name, 'a disk that is not encrypted', 'an encrypted one', hint);
  }
  if (features > 0xffff_ffff || (features & ~(DIRTY | CORRUPT | HAS_COMPRESSION)) !== 0) {
    throw malformed(name, 'no feature beyond compression', `features ${features}`, hint);
  }
  if ((features & CORRUPT) !== 0) {
    throw malformed(
      name,
      'a whole image',
      'one that is marked as corrupt',
      'qemu-img check -r all',
    );
  }
}

function requireBounds({ size, clusterBits, l1Entries, compression }: Header, name: string): void {
  if (clusterBits < CLUSTER_BITS.least || clusterBits > CLUSTER_BITS.most) {
    throw malformed(name, 'clusters of 512 bytes to 2 MiB', `2^${clusterBits}`);
  }
  const needed = Math.ceil(size / 2 ** clusterBits / (2 ** clusterBits / 8));
  if (!Number.isSafeInteger(size) || l1Entries < needed || l1Entries * 8 > MAX_L1) {
    throw malformed(name, `${needed} tables of clusters`, l1Entries);
  }
  if (compression !== ZLIB && compression !== ZSTD) {
    throw malformed(name, 'compression by zlib or zstd', `kind ${compression}`);
  }
}

function unpacked(
  file: ByteSource,
  entry: bigint,
  { clusterBits, compression }: Header,
  name: string,
): Uint8Array {
  const shift = BigInt(62 - (clusterBits - 8));
  const offset = Number(entry & ((1n << shift) - 1n));
  const sectors = Number((entry & (COMPRESSED - 1n)) >> shift) + 1;
  const bytes = file.read(offset, sectors * SECTOR - (offset % SECTOR));
  const cluster = 2 ** clusterBits;
  const bounds = { maxOutputLength: cluster };
  try {
    const whole =
      compression === ZSTD
        ? zstdDecompressSync(bytes.subarray(0, zstdLength(bytes)), bounds)
        : inflateRawSync(bytes, { ...bounds, finishFlush: constants.Z_SYNC_FLUSH });
    if (whole.length === cluster) return whole;
  } catch {
    // Whatever is wrong with it, the cluster is damaged: said below.
  }
  throw malformed(name, `a whole compressed cluster at offset ${offset}`, 'a damaged one');
}

/**
 * Returns how long the first zstd frame is (RFC 8878 §3.1.1): what follows in its last sector is the
 * next cluster's. One that is not whole is as long as all bytes.
 */
function zstdLength(bytes: Uint8Array): number {
  const byte = (at: number): number => bytes[at] ?? 0;
  const descriptor = byte(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeField = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0) + sizeField;
  for (let isLast = false; !isLast && at < bytes.length; ) {
    const block = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16);
    isLast = (block & 1) !== 0;
    const isRepeated = ((block >> 1) & 3) === 1;
    at += 3 + (isRepeated ? 1 : block >> 3);
  }
  return Math.min(bytes.length, at + ((descriptor & 4) !== 0 ? 4 : 0));
}

function inside(file: ByteSource, offset: number, length: number, name: string): Uint8Array {
  const bytes = file.read(offset, length);
  if (bytes.length === length) return bytes;
  throw malformed(name, `${length} bytes at offset ${offset}`, bytes.length);
}
