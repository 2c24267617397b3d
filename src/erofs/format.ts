/** The on-disk format of EROFS, without compression (Linux, Documentation/filesystems/erofs.rst). */

/** In bytes. */
export const BLOCK = 4096;
/** What the numbers of inodes count: bytes. */
export const SLOT = 32;

/** Where the superblock lies, and its fields. Offsets in bytes. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 128;
export const SUPERBLOCK = {
  magic: 0,
  checksum: 4,
  compatible: 8,
  blockBits: 12,
  rootNumber: 14,
  inodes: 16,
  time: 24,
  blocks: 36,
  uuid: 48,
  label: 64,
} as const;
export const MAGIC = 0xe0f5_e1e2;
export const BLOCK_BITS = 12;
/** Compatible features: a checksum of the superblock, and each inode with its own time. */
export const HAS_CHECKSUM = 1;
export const HAS_TIMES = 2;
export const MAX_LABEL = 16;

/** Fields of an inode of 64 bytes. */
export const INODE_SIZE = 64;
export const INODE = {
  format: 0,
  xattrs: 2,
  mode: 4,
  size: 8,
  place: 16,
  number: 20,
  uid: 24,
  gid: 28,
  time: 32,
  links: 44,
} as const;
/** Bit 0 of the format: the inode has 64 bytes. Above it, where the content lies. */
export const EXTENDED = 1;
export const PLAIN = 0;
export const TAIL_INLINE = 2 << 1;

/** An entry of a directory, before the names of its block. */
export const ENTRY_SIZE = 12;
export const ENTRY = { number: 0, name: 8, type: 10 } as const;

/** The header of the attributes behind an inode, and an entry among them. */
export const XATTR_HEADER = 12;
export const XATTR_ENTRY = 4;
/** Attributes begin and end at multiples of this: bytes. */
export const XATTR_ALIGNMENT = 4;
/** Prefixes that an attribute's name is stored without, and their numbers. */
export const XATTR_PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['user.', 1],
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['trusted.', 4],
  ['security.', 6],
];

/** What an entry of a directory says of a kind. */
export const ENTRY_TYPES = {
  file: 1,
  directory: 2,
  character: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  link: 7,
} as const;
