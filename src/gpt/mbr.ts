/**
 * The first sector of a disk: a partition table of MS-DOS, the protective one before a GUID partition
 * table, or a hybrid of both (UEFI §5.2).
 */
import { EspError } from '../error.ts';

/** What a master boot record takes, whatever the size of a sector: bytes. */
export const MBR_SIZE = 512;
/** Where the code of a boot loader ends, in bytes. */
const BOOT_CODE_SIZE = 440;

const AT = { signature: 440, entries: 446, mark: 510 } as const;
const ENTRY_SIZE = 16;
const ENTRY_COUNT = 4;
const MAX_SECTORS = 0xffff_ffff;

/** Types of partitions. */
export const MBR_TYPES = { swap: 0x82, linux: 0x83, protective: 0xee, esp: 0xef } as const;

/** One partition. First and count in sectors. */
export interface MbrPartition {
  readonly type: number;
  readonly first: number;
  readonly count: number;
  readonly isActive?: boolean;
}

/** How sectors are named by cylinder, head and sector, which nobody reads any more. */
export interface Geometry {
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** What firmware and sgdisk take disks for. */
const LARGE_DISK: Geometry = { heads: 255, sectorsPerTrack: 63 };
/** What libparted takes a disk in a file for. */
export const FILE_DISK: Geometry = { heads: 4, sectorsPerTrack: 32 };

/** A master boot record. */
export interface Mbr {
  readonly partitions: readonly MbrPartition[];
  /** The disk's number: 32 bits, 0 where a GUID partition table follows. */
  readonly signature: number;
  /** At most 440 bytes. */
  readonly bootCode?: Uint8Array | undefined;
  /** As {@link LARGE_DISK} where it is not given. */
  readonly geometry?: Geometry | undefined;
}

/** Returns the 512 bytes. @throws {CONFIG_INVALID} when something does not fit */
export function formatMbr(mbr: Mbr): Uint8Array {
  const { partitions, signature, bootCode, geometry = LARGE_DISK } = mbr;
  const bytes = new Uint8Array(MBR_SIZE);
  const view = new DataView(bytes.buffer);
  if (bootCode !== undefined) bytes.set(within(bootCode, BOOT_CODE_SIZE, 'the boot code'));
  view.setUint32(AT.signature, signature, true);
  for (const [index, partition] of within(partitions, ENTRY_COUNT, 'the MBR').entries()) {
    bytes.set(
      formatEntry(partition, geometry, partitions.length === 1),
      AT.entries + index * ENTRY_SIZE,
    );
  }
  bytes.set([0x55, 0xaa], AT.mark);
  return bytes;
}

/** Returns what a record holds, or undefined when the mark at its end is missing. */
export function readMbr(bytes: Uint8Array): Mbr | undefined {
  if (bytes[AT.mark] !== 0x55 || bytes[AT.mark + 1] !== 0xaa) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MBR_SIZE);
  const partitions = Array.from({ length: ENTRY_COUNT }, (_, index) => {
    const at = AT.entries + index * ENTRY_SIZE;
    return {
      type: view.getUint8(at + 4),
      first: view.getUint32(at + 8, true),
      count: view.getUint32(at + 12, true),
      ...(view.getUint8(at) === 0x80 ? { isActive: true } : {}),
    };
  }).filter(({ type }) => type !== 0);
  const bootCode = bytes.slice(0, BOOT_CODE_SIZE);
  return {
    partitions,
    signature: view.getUint32(AT.signature, true),
    ...(bootCode.some((byte) => byte !== 0) ? { bootCode } : {}),
  };
}

/** Returns the partition that hides a whole disk of so many sectors from programs without GPT. */
export function protectivePartition(sectors: number): MbrPartition {
  return { type: MBR_TYPES.protective, first: 1, count: Math.min(sectors - 1, MAX_SECTORS) };
}

/**
 * Returns the partitions of a hybrid record: one that hides the table, then at most three that are in
 * the GUID partition table as well, as `sgdisk --hybrid` writes them.
 */
export function hybridPartitions(chosen: readonly MbrPartition[]): readonly MbrPartition[] {
  const first = Math.min(...chosen.map((partition) => partition.first));
  within(chosen, ENTRY_COUNT - 1, 'a hybrid MBR');
  return [{ type: MBR_TYPES.protective, first: 1, count: first - 1 }, ...chosen];
}

/** Where a partition that hides a whole disk ends, for every tool but sgdisk. Nobody reads it. */
const WHOLE_DISK: readonly number[] = [0xff, 0xff, 0xff];

function formatEntry(partition: MbrPartition, geometry: Geometry, isOnly: boolean): Uint8Array {
  const { type, first, count, isActive } = partition;
  const last = first + count - 1;
  if (last > MAX_SECTORS) {
    throw new EspError(
      'CONFIG_INVALID',
      `an MBR holds ${MAX_SECTORS} sectors, got a partition up to sector ${last}`,
      { hint: 'use a GUID partition table' },
    );
  }
  const bytes = new Uint8Array(ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  bytes[0] = isActive ? 0x80 : 0;
  bytes.set(cylinders(first, geometry), 1);
  bytes[4] = type;
  bytes.set(isOnly && type === MBR_TYPES.protective ? WHOLE_DISK : cylinders(last, geometry), 5);
  view.setUint32(8, first, true);
  view.setUint32(12, count, true);
  return bytes;
}

const MAX_CYLINDER = 1023;

/** Returns head, sector and cylinder of a sector; the furthest that they can name where it is beyond. */
function cylinders(sector: number, { heads, sectorsPerTrack }: Geometry): readonly number[] {
  const cylinder = Math.floor(sector / (heads * sectorsPerTrack));
  const [head, rest] =
    cylinder > MAX_CYLINDER
      ? [heads - 1, sectorsPerTrack]
      : [Math.floor(sector / sectorsPerTrack) % heads, (sector % sectorsPerTrack) + 1];
  const named = Math.min(cylinder, MAX_CYLINDER);
  return [head, ((named >> 8) << 6) | rest, named & 0xff];
}

function within<T extends { readonly length: number }>(values: T, most: number, where: string): T {
  if (values.length <= most) return values;
  throw new EspError('CONFIG_INVALID', `${where} holds at most ${most}, got ${values.length}`);
}
