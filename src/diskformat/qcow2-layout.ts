/** What writer and reader of qcow2 share (QEMU, docs/interop/qcow2.txt). Numbers are big-endian. */

/** "QFI" and 0xfb. */
export const MAGIC = 0x5146_49fb;
/** Offsets in the header, in bytes. */
export const HEADER = {
  magic: 0,
  version: 4,
  backing: 8,
  clusterBits: 20,
  size: 24,
  encryption: 32,
  l1Entries: 36,
  l1: 40,
  refcounts: 48,
  refcountClusters: 56,
  snapshots: 60,
  incompatible: 72,
  refcountOrder: 96,
  length: 100,
  compression: 104,
} as const;
/** The header of version 2 ends here, and that of version 3 with the kind of compression. */
export const V2_LENGTH = 72;
export const V3_LENGTH = 112;

/** Incompatible features. */
export const DIRTY = 1;
export const CORRUPT = 2;
export const HAS_COMPRESSION = 8;
/** Kinds of compression. */
export const ZLIB = 0;
export const ZSTD = 1;

/** What we write: clusters of 64 KiB, 16-bit reference counts. */
export const CLUSTER_BITS = 16;
export const REFCOUNT_ORDER = 4;

/** Bits of entries. */
export const COPIED = 1n << 63n;
export const COMPRESSED = 1n << 62n;
export const OFFSET_MASK = (1n << 56n) - 512n;
export const ALL_ZEROS = 1n;
/** Compressed clusters are found by sectors of this size. */
export const SECTOR = 512;
