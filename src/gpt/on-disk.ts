/** Where the fields of a GUID partition table lie (UEFI §5.3.2, §5.3.3). Sizes and offsets in bytes. */

export const SIGNATURE = 'EFI PART';
export const REVISION = 0x0001_0000;
export const HEADER_SIZE = 92;
export const HEADER = {
  revision: 8,
  headerSize: 12,
  crc: 16,
  ownSector: 24,
  otherSector: 32,
  firstUsable: 40,
  lastUsable: 48,
  uuid: 56,
  entries: 72,
  entryCount: 80,
  entrySize: 84,
  entriesCrc: 88,
} as const;
export const ENTRY = {
  type: 0,
  uuid: 16,
  first: 32,
  last: 40,
  attributes: 48,
  name: 56,
  end: 128,
} as const;

/** What every tool writes: 128 entries of 128 bytes. */
export const ENTRY_COUNT = 128;
export const ENTRIES_SIZE = ENTRY_COUNT * ENTRY.end;

/** A name has at most this many UTF-16 units. */
export const MAX_NAME = (ENTRY.end - ENTRY.name) / 2;
