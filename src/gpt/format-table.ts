/** Writes GUID partition tables as every tool does: both copies, 128 entries (UEFI §5.3). */

import { crc32 } from 'node:zlib';
import { EspError } from '../error.ts';
import { type Guid, guidBytes } from '../guid.ts';
import { exactSize } from '../quantity.ts';
import { formatMbr, type Mbr, protectivePartition } from './mbr.ts';
import {
  ENTRIES_SIZE,
  ENTRY,
  ENTRY_COUNT,
  HEADER,
  HEADER_SIZE,
  MAX_NAME,
  REVISION,
  SIGNATURE,
} from './on-disk.ts';
import type { Partition } from './partition-table.ts';

/** A table to write. Sizes in bytes. */
export interface NewTable {
  readonly sectorSize: number;
  /** Of the whole disk. */
  readonly size: number;
  /** The GUID of the disk. */
  readonly uuid: Guid;
  /** Where partitions may begin: 1 MiB for libfdisk, right behind the table for parted and sgdisk. */
  readonly firstUsable: number;
  readonly partitions: readonly Partition[];
  /** What the first sector holds besides the partition that protects the table. */
  readonly mbr?: Partial<Mbr> | undefined;
}

/** The bytes of a table and where they belong, in bytes. */
export interface TablePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The sectors in front of everything: the MBR, the header and the entries. */
export function tableSectors(sectorSize: number): number {
  return 2 + ENTRIES_SIZE / sectorSize;
}

/** Returns the bytes at the end that hold the backup: entries and header. */
export function backupSize(sectorSize: number): number {
  return ENTRIES_SIZE + sectorSize;
}

/**
 * Returns the backup copy, then the primary one with the MBR. Written in this order, a disk has no
 * primary copy before everything else of it is there.
 * @throws {CONFIG_INVALID} when partitions overlap, are not whole sectors or lie outside
 */
export function formatPartitionTable(table: NewTable): readonly [TablePart, TablePart] {
  requireFitting(table);
  const { sectorSize, size } = table;
  const last = size / sectorSize - 1;
  const entries = formatEntries(table);
  const backup = new Uint8Array(backupSize(sectorSize));
  backup.set(entries);
  backup.set(
    formatHeader(table, entries, {
      own: last,
      other: 1,
      entries: last - ENTRIES_SIZE / sectorSize,
    }),
    ENTRIES_SIZE,
  );
  const primary = new Uint8Array(tableSectors(sectorSize) * sectorSize);
  primary.set(firstSector(table));
  primary.set(formatHeader(table, entries, { own: 1, other: last, entries: 2 }), sectorSize);
  primary.set(entries, 2 * sectorSize);
  return [
    { offset: size - backup.length, bytes: backup },
    { offset: 0, bytes: primary },
  ];
}

function firstSector({ mbr, size, sectorSize }: NewTable): Uint8Array {
  const partitions = mbr?.partitions ?? [protectivePartition(size / sectorSize)];
  return formatMbr({ signature: 0, ...mbr, partitions });
}

function formatEntries({ partitions, sectorSize }: NewTable): Uint8Array {
  const entries = new Uint8Array(ENTRIES_SIZE);
  for (const { number, type, uuid, name, attributes, offset, size } of partitions) {
    const at = (number - 1) * ENTRY.end;
    const view = new DataView(entries.buffer, at, ENTRY.end);
    entries.set(guidBytes(type), at + ENTRY.type);
    entries.set(guidBytes(uuid), at + ENTRY.uuid);
    view.setBigUint64(ENTRY.first, BigInt(offset / sectorSize), true);
    view.setBigUint64(ENTRY.last, BigInt((offset + size) / sectorSize - 1), true);
    view.setBigUint64(ENTRY.attributes, attributes, true);
    for (let unit = 0; unit < name.length; unit++) {
      view.setUint16(ENTRY.name + unit * 2, name.charCodeAt(unit), true);
    }
  }
  return entries;
}

/** Where a copy lies: sectors. */
interface Place {
  readonly own: number;
  readonly other: number;
  readonly entries: number;
}

function formatHeader(
  { sectorSize, size, uuid, firstUsable }: NewTable,
  entries: Uint8Array,
  place: Place,
): Uint8Array {
  const header = new Uint8Array(HEADER_SIZE);
  const view = new DataView(header.buffer);
  header.set(new TextEncoder().encode(SIGNATURE));
  view.setUint32(HEADER.revision, REVISION, true);
  view.setUint32(HEADER.headerSize, HEADER_SIZE, true);
  for (const [at, sector] of [
    [HEADER.ownSector, place.own],
    [HEADER.otherSector, place.other],
    [HEADER.firstUsable, firstUsable / sectorSize],
    [HEADER.lastUsable, (size - backupSize(sectorSize)) / sectorSize - 1],
    [HEADER.entries, place.entries],
  ] as const) {
    view.setBigUint64(at, BigInt(sector), true);
  }
  header.set(guidBytes(uuid), HEADER.uuid);
  view.setUint32(HEADER.entryCount, ENTRY_COUNT, true);
  view.setUint32(HEADER.entrySize, ENTRY.end, true);
  view.setUint32(HEADER.entriesCrc, crc32(entries), true);
  view.setUint32(HEADER.crc, crc32(header), true);
  return header;
}

function requireFitting(table: NewTable): void {
  const { partitions, sectorSize, size, firstUsable } = table;
  const end = size - backupSize(sectorSize);
  const wrong = [
    complaint(
      size % sectorSize !== 0,
      `a disk of ${exactSize(size)} is no whole number of sectors`,
    ),
    complaint(firstUsable % sectorSize !== 0, `byte ${firstUsable} begins no sector`),
    complaint(firstUsable < tableSectors(sectorSize) * sectorSize, 'partitions would lie over it'),
    ...partitions.flatMap((partition) => complaintsOf(partition, sectorSize, firstUsable, end)),
    ...overlaps(partitions),
  ].find((found) => found !== undefined);
  if (wrong === undefined) return;
  throw new EspError('CONFIG_INVALID', `GUID partition table: ${wrong}`);
}

function complaintsOf(
  { number, offset, size, name }: Partition,
  sectorSize: number,
  first: number,
  end: number,
): readonly (string | undefined)[] {
  const which = `partition ${number}`;
  return [
    complaint(number < 1 || number > ENTRY_COUNT, `${which}: expected a number from 1 to 128`),
    complaint(offset % sectorSize !== 0 || size % sectorSize !== 0, `${which} is no whole sectors`),
    complaint(size < sectorSize, `${which} is empty`),
    complaint(offset < first, `${which} begins before byte ${first}`),
    complaint(offset + size > end, `${which} ends behind byte ${end}`),
    complaint(name.length > MAX_NAME, `${which}: its name has more than ${MAX_NAME} characters`),
  ];
}

function overlaps(partitions: readonly Partition[]): readonly (string | undefined)[] {
  const sorted = partitions.toSorted((a, b) => a.offset - b.offset);
  const numbers = new Set(partitions.map(({ number }) => number));
  return [
    complaint(numbers.size < partitions.length, 'two partitions have one number'),
    ...sorted.map((partition, index) => {
      const before = sorted[index - 1];
      const isOver = before !== undefined && before.offset + before.size > partition.offset;
      return complaint(isOver, `partitions ${before?.number} and ${partition.number} overlap`);
    }),
  ];
}

function complaint(isWrong: boolean, what: string): string | undefined {
  return isWrong ? what : undefined;
}
