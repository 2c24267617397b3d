/** Writes qcow2, version 3 (QEMU, docs/interop/qcow2.txt): in one pass, the same bytes each time. */
import { promisify } from 'node:util';
import { constants, deflateRaw } from 'node:zlib';
import type { Sink, WriteDisk } from './format.ts';
import { aligned, isZero, viewOf } from './numbers.ts';
import {
  CLUSTER_BITS,
  COMPRESSED,
  COPIED,
  HEADER,
  MAGIC,
  REFCOUNT_ORDER,
  SECTOR,
  V3_LENGTH,
} from './qcow2-layout.ts';

const CLUSTER = 2 ** CLUSTER_BITS;
/** Entries of a table of the second level, and of a block of reference counts. */
const L2_ENTRIES = CLUSTER / 8;
const REFCOUNTS = CLUSTER / 2;
/** Where the number of sectors of a compressed cluster begins, in bits. */
const SECTORS_AT = BigInt(62 - (CLUSTER_BITS - 8));
/** How many clusters are compressed at once, by Node's own threads. */
const BATCH = 16;

const deflate = promisify(deflateRaw);
/** As QEMU compresses, and what readers expect: a window of 4 KiB. */
const DEFLATE = { windowBits: 12, memLevel: 9, level: constants.Z_DEFAULT_COMPRESSION } as const;

/** Writes clusters as they are. */
export const writeQcow2: WriteDisk = (disk, sink, settings) =>
  write(disk, sink, settings, async (clusters) => clusters);

/** Writes clusters compressed with zlib, where that makes them smaller. */
export const writeQcow2Compressed: WriteDisk = (disk, sink, settings) =>
  write(disk, sink, settings, (clusters) => Promise.all(clusters.map(packed)));

async function packed(cluster: Uint8Array): Promise<Uint8Array> {
  const small: Uint8Array = await deflate(cluster, DEFLATE);
  return small.length < cluster.length ? small : cluster;
}

type Pack = (clusters: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>;

/** Clusters follow in the order of the disk; each table of the second level follows its clusters. */
async function write(
  disk: Parameters<WriteDisk>[0],
  sink: Sink,
  { progress }: Parameters<WriteDisk>[2],
  pack: Pack,
): Promise<void> {
  const l1 = new BigUint64Array(Math.ceil(disk.size / (CLUSTER * L2_ENTRIES)));
  const file = new Clusters(sink);
  const l1At = file.skip(1 + Math.ceil(l1.byteLength / CLUSTER)) + CLUSTER;
  for (const index of l1.keys()) {
    const start = index * L2_ENTRIES * CLUSTER;
    const l2 = await writeRange(disk, start, file, pack, progress);
    if (l2.every((entry) => entry === 0n)) continue;
    l1[index] = BigInt(file.append(bigEndian(l2))) | COPIED;
  }
  sink.writeAt(l1At, bigEndian(l1));
  const counts = file.finish();
  sink.writeAt(0, header(disk.size, l1.length, l1At, counts));
}

/** Writes the clusters behind one table, and returns the table. */
async function writeRange(
  disk: Parameters<WriteDisk>[0],
  start: number,
  file: Clusters,
  pack: Pack,
  progress: Parameters<WriteDisk>[2]['progress'],
): Promise<BigUint64Array> {
  const l2 = new BigUint64Array(L2_ENTRIES);
  const end = Math.min(disk.size, start + L2_ENTRIES * CLUSTER);
  // Used again and again: what is packed is written before the next clusters are read.
  const memory = Array.from({ length: BATCH }, () => new Uint8Array(CLUSTER));
  for (let from = start; from < end; from += BATCH * CLUSTER) {
    const found: { readonly index: number; readonly cluster: Uint8Array }[] = [];
    for (let at = from; at < Math.min(end, from + BATCH * CLUSTER); at += CLUSTER) {
      const cluster = memory[(at - from) / CLUSTER] ?? new Uint8Array(CLUSTER);
      // The disk may end within a cluster.
      cluster.fill(0, disk.readInto(at, cluster).length);
      if (!isZero(cluster)) found.push({ index: (at - start) / CLUSTER, cluster });
    }
    const pieces = await pack(found.map(({ cluster }) => cluster));
    for (const [place, { index }] of found.entries()) {
      const piece = pieces[place] ?? new Uint8Array();
      l2[index] =
        piece.length < CLUSTER ? file.squeeze(piece) : BigInt(file.append(piece)) | COPIED;
    }
    await progress?.(Math.min(end, from + BATCH * CLUSTER));
  }
  return l2;
}

/** Hands out clusters of the file one after another, and counts who refers to each. */
class Clusters {
  readonly #sink: Sink;
  #counts = new Uint16Array(1024);
  #end = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Leaves clusters for what is written later. Returns where they begin. */
  skip(clusters: number): number {
    const at = aligned(this.#end, CLUSTER);
    this.#end = at + clusters * CLUSTER;
    this.#refer(at, clusters * CLUSTER);
    return at;
  }

  /** Writes whole clusters. Returns where they begin. */
  append(bytes: Uint8Array): number {
    const at = this.skip(Math.ceil(bytes.length / CLUSTER));
    this.#sink.writeAt(at, bytes);
    return at;
  }

  /** Writes a compressed cluster right behind what is there. Returns its entry. */
  squeeze(bytes: Uint8Array): bigint {
    const at = this.#end;
    this.#sink.writeAt(at, bytes);
    this.#end += bytes.length;
    this.#refer(at, bytes.length);
    const sectors = Math.floor((this.#end - 1) / SECTOR) - Math.floor(at / SECTOR);
    return COMPRESSED | (BigInt(sectors) << SECTORS_AT) | BigInt(at);
  }

  /** Writes the counts behind all else, those of their own clusters included. */
  finish(): { readonly table: number; readonly clusters: number } {
    const used = Math.ceil(this.#end / CLUSTER);
    let blocks = 0;
    let tables = 0;
    // Blocks and table count themselves, so both grow until they have room for each other.
    while (blocks * REFCOUNTS < used + blocks + tables) {
      blocks = Math.ceil((used + blocks + tables) / REFCOUNTS);
      tables = Math.ceil((blocks * 8) / CLUSTER);
    }
    const at = this.skip(blocks + tables);
    const table = new BigUint64Array(blocks);
    for (let block = 0; block < blocks; block++) {
      const bytes = new Uint8Array(CLUSTER);
      const view = viewOf(bytes);
      const counts = this.#counts.subarray(block * REFCOUNTS, (block + 1) * REFCOUNTS);
      for (const [index, count] of counts.entries()) view.setUint16(index * 2, count);
      table[block] = BigInt(at + block * CLUSTER);
      this.#sink.writeAt(at + block * CLUSTER, bytes);
    }
    this.#sink.writeAt(at + blocks * CLUSTER, bigEndian(table));
    this.#sink.cut(this.#end);
    return { table: at + blocks * CLUSTER, clusters: tables };
  }

  #refer(at: number, length: number): void {
    const last = Math.floor((at + length - 1) / CLUSTER);
    if (last >= this.#counts.length) {
      const larger = new Uint16Array(Math.max(last + 1, this.#counts.length * 2));
      larger.set(this.#counts);
      this.#counts = larger;
    }
    for (let cluster = Math.floor(at / CLUSTER); cluster <= last; cluster++) {
      this.#counts[cluster] = (this.#counts[cluster] ?? 0) + 1;
    }
  }
}

function bigEndian(entries: BigUint64Array): Uint8Array {
  const bytes = new Uint8Array(entries.byteLength);
  const view = viewOf(bytes);
  for (const [index, entry] of entries.entries()) view.setBigUint64(index * 8, entry);
  return bytes;
}

function header(
  size: number,
  l1Entries: number,
  l1: number,
  counts: { readonly table: number; readonly clusters: number },
): Uint8Array {
  const bytes = new Uint8Array(CLUSTER);
  const view = viewOf(bytes);
  view.setUint32(HEADER.magic, MAGIC);
  view.setUint32(HEADER.version, 3);
  view.setUint32(HEADER.clusterBits, CLUSTER_BITS);
  view.setBigUint64(HEADER.size, BigInt(size));
  view.setUint32(HEADER.l1Entries, l1Entries);
  view.setBigUint64(HEADER.l1, BigInt(l1));
  view.setBigUint64(HEADER.refcounts, BigInt(counts.table));
  view.setUint32(HEADER.refcountClusters, counts.clusters);
  view.setUint32(HEADER.refcountOrder, REFCOUNT_ORDER);
  view.setUint32(HEADER.length, V3_LENGTH);
  return bytes;
}
