/** What reader and writer of tar files share: the ustar header (POSIX.1 pax §ustar Interchange Format). */

/** In bytes: of the header, and of the steps in which contents lie. */
export const BLOCK = 512;

/** Where a field begins, and its length. In bytes. */
export type Field = readonly [offset: number, length: number];

export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  magic: [257, 6],
  version: [263, 2],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const satisfies Record<string, Field>;

export const MAGIC = 'ustar\0';
