/** Reads GUID partition tables with every check that the specification asks for (UEFI §5.3). */
import { crc32 } from 'node:zlib';
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { formatGuid, type Guid } from '../guid.ts';
import { utf16Text } from '../utf16.ts';
import { ENTRY, HEADER, HEADER_SIZE, REVISION, SIGNATURE } from './on-disk.ts';

/** One partition. Offset and size in bytes. */
export interface Partition {
  /** Counted from 1. */
  readonly number: number;
  /** GUIDs as text, in lower case. */
  readonly type: Guid;
  readonly uuid: Guid;
  readonly name: string;
  /** Bits 0 to 63; those that the Discoverable Partitions Specification gives a meaning are in {@link FLAGS}. */
  readonly attributes: bigint;
  readonly offset: number;
  readonly size: number;
}

export interface PartitionTable {
  /** In bytes. */
  readonly sectorSize: number;
  /** The GUID of the disk. */
  readonly uuid: Guid;
  /** Which copy was read. The backup is read only when the primary copy is damaged. */
  readonly copy: 'primary' | 'backup';
  readonly partitions: readonly Partition[];
}

/**
 * In bytes. systemd tries the same sizes: the header is in the second sector and does not tell its
 * size.
 */
const SECTOR_SIZES = [512, 1024, 2048, 4096];

/** In bytes. Usual tables have 128 entries of 128 bytes. */
const MAX_TABLE = 4 * 1024 * 1024;

/**
 * Returns the partition table of a disk or of a disk image. `name` is its name in errors.
 * @throws {DISK_IMAGE_MALFORMED} when neither copy is whole
 */
export function readPartitionTable(disk: ByteSource, name: string): PartitionTable {
  const complaints: string[] = [];
  for (const sectorSize of SECTOR_SIZES) {
    const sectors = Math.floor(disk.size / sectorSize);
    for (const [copy, sector] of [
      ['primary', 1],
      ['backup', sectors - 1],
    ] as const) {
      const found = sector < 1 ? undefined : readCopy(disk, sectorSize, sector);
      if (typeof found === 'object') return { sectorSize, copy, ...found };
      if (found !== undefined) complaints.push(`${copy} copy: ${found}`);
    }
  }
  throw new EspError(
    'DISK_IMAGE_MALFORMED',
    `${name}: expected a GUID partition table, got ${complaints.join('; ') || 'none'}`,
    {
      hint: 'look whether it is a disk, and whole: sgdisk mends a table of which one copy is left; else copy or make it anew',
    },
  );
}

/** What a copy of the table says. */
type Content = Pick<PartitionTable, 'uuid' | 'partitions'>;

/** Returns the content, or what is wrong with the table, or undefined when there is no table. */
function readCopy(
  disk: ByteSource,
  sectorSize: number,
  sector: number,
): Content | string | undefined {
  const bytes = Uint8Array.from(disk.read(sector * sectorSize, sectorSize));
  if (bytes.length < HEADER_SIZE || textOf(bytes.subarray(0, 8)) !== SIGNATURE) return undefined;
  const header = new DataView(bytes.buffer);
  const entrySize = header.getUint32(HEADER.entrySize, true);
  const entriesSize = header.getUint32(HEADER.entryCount, true) * entrySize;
  const wrong = [
    [header.getUint32(HEADER.revision, true) === REVISION, 'its revision is not 1.0'],
    [isWhole(bytes, header), 'its header has another checksum'],
    [numberAt(header, HEADER.ownSector) === sector, 'it was made for another place'],
    [isEntrySize(entrySize), `its entries are ${entrySize} bytes long`],
    [entriesSize <= MAX_TABLE, `its entries are ${entriesSize} bytes`],
  ].find(([isGood]) => !isGood);
  if (wrong !== undefined) return String(wrong[1]);
  const entries = disk.read(numberAt(header, HEADER.entries) * sectorSize, entriesSize);
  if (entries.length < entriesSize) return 'its entries are beyond the end';
  if (crc32(entries) !== header.getUint32(HEADER.entriesCrc, true)) {
    return 'its entries have another checksum';
  }
  const partitions = partitionsOf(entries, entrySize, header, sectorSize, disk.size);
  if (typeof partitions === 'string') return partitions;
  return { uuid: formatGuid(bytes.subarray(HEADER.uuid)), partitions };
}

function isWhole(bytes: Uint8Array, header: DataView): boolean {
  const size = header.getUint32(HEADER.headerSize, true);
  if (size < HEADER_SIZE || size > bytes.length) return false;
  const unsigned = Uint8Array.from(bytes.subarray(0, size));
  unsigned.fill(0, HEADER.crc, HEADER.crc + 4);
  return crc32(unsigned) === header.getUint32(HEADER.crc, true);
}

/** Returns whether a size is 128 times a power of two, up to what a sector can hold. */
function isEntrySize(size: number): boolean {
  return size >= ENTRY.end && size <= 4096 && Number.isInteger(Math.log2(size));
}

function partitionsOf(
  entries: Uint8Array,
  entrySize: number,
  header: DataView,
  sectorSize: number,
  diskSize: number,
): readonly Partition[] | string {
  const [firstUsable, lastUsable] = [HEADER.firstUsable, HEADER.lastUsable].map((at) =>
    numberAt(header, at),
  );
  const partitions: Partition[] = [];
  for (let at = 0, number = 1; at < entries.length; at += entrySize, number++) {
    const bytes = Uint8Array.from(entries.subarray(at, at + ENTRY.end));
    if (bytes.subarray(0, ENTRY.uuid).every((byte) => byte === 0)) continue;
    const entry = new DataView(bytes.buffer);
    const [first, last] = [numberAt(entry, ENTRY.first), numberAt(entry, ENTRY.last)];
    const offset = first * sectorSize;
    const size = (last - first + 1) * sectorSize;
    const isInside =
      first >= (firstUsable ?? 0) && last <= (lastUsable ?? 0) && offset + size <= diskSize;
    if (size <= 0 || !isInside) return `partition ${number} lies outside the disk`;
    partitions.push({
      number,
      type: formatGuid(bytes.subarray(ENTRY.type)),
      uuid: formatGuid(bytes.subarray(ENTRY.uuid)),
      name: utf16Text(bytes.subarray(ENTRY.name)),
      attributes: entry.getBigUint64(ENTRY.attributes, true),
      offset,
      size,
    });
  }
  return partitions;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

/** A number beyond 2^53 loses precision but stays too large to lie inside any disk. */
function numberAt(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
