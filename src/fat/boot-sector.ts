/** The boot sector of a FAT, and the sector beside it that counts free clusters (FAT §BPB, §FSInfo). */

import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';
import { dataOffset, type FatBits, type Geometry } from './geometry.ts';

/** What a boot sector says besides the layout. */
export interface BootSector {
  readonly geometry: Geometry;
  /** First cluster of the root directory; 0 on FAT12 and FAT16. */
  readonly rootCluster: number;
  /** The sector that counts free clusters; 0 where there is none. */
  readonly infoSector: number;
  readonly volumeId: number;
  /** Whether it says that the file system is in use, or was not left properly. */
  readonly isDirty: boolean;
}

/** What a new boot sector holds. */
export interface BootIdentity {
  /** 11 bytes. */
  readonly label: Uint8Array;
  readonly volumeId: number;
  /** Sectors before the partition. */
  readonly hidden: number;
}

const AT = {
  system: 3,
  sectorSize: 11,
  cluster: 13,
  reserved: 14,
  copies: 16,
  rootSlots: 17,
  sectors16: 19,
  media: 21,
  table16: 22,
  track: 24,
  heads: 26,
  hidden: 28,
  sectors32: 32,
  table32: 36,
  flags: 40,
  version: 42,
  root: 44,
  info: 48,
  backup: 50,
  signature: 510,
} as const;
/** The part that FAT32 has at another place. */
const TAIL = { small: 36, large: 64 } as const;
const TAIL_AT = { state: 1, mark: 2, id: 3, label: 7, kind: 18, code: 26 } as const;

const SYSTEM = 'mkfs.fat';
/** Prints the text below it and waits for a key; the text's place stands at 3. */
const CODE = '0e1fbe0000ac22c0740b56b40ebb0700cd105eebf032e4cd16cd19ebfe';
const TEXT =
  'This is not a bootable disk.  Please insert a bootable floppy and\r\n' +
  'press any key to try again ... \r\n';
const LOADED_AT = 0x7c00;
const EXTENDED = 0x29;
const END_MARK = 0xaa55;
/** Where FAT32 keeps a second boot sector, and how far behind it that of FSInfo. */
export const BACKUP = 6;
export const INFO = 1;

/** Returns the boot sector of a new FAT: 512 bytes. */
export function formatBootSector(geometry: Geometry, identity: BootIdentity): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  const isLarge = geometry.bits === 32;
  const tail = isLarge ? TAIL.large : TAIL.small;
  bytes.set([0xeb, tail + TAIL_AT.code - 2, 0x90]);
  bytes.set(ascii(SYSTEM), AT.system);
  view.setUint16(AT.sectorSize, geometry.sectorSize, true);
  view.setUint8(AT.cluster, geometry.sectorsPerCluster);
  view.setUint16(AT.reserved, geometry.reserved, true);
  view.setUint8(AT.copies, geometry.copies);
  view.setUint16(AT.rootSlots, geometry.rootSlots, true);
  const isShort = geometry.sectors < 0x1_0000;
  view.setUint16(AT.sectors16, isShort ? geometry.sectors : 0, true);
  view.setUint32(AT.sectors32, isShort ? 0 : geometry.sectors, true);
  view.setUint8(AT.media, geometry.media);
  view.setUint16(AT.track, geometry.sectorsPerTrack, true);
  view.setUint16(AT.heads, geometry.heads, true);
  view.setUint32(AT.hidden, identity.hidden, true);
  if (isLarge) {
    view.setUint32(AT.table32, geometry.tableSectors, true);
    view.setUint32(AT.root, 2, true);
    view.setUint16(AT.info, INFO, true);
    view.setUint16(AT.backup, BACKUP, true);
  } else view.setUint16(AT.table16, geometry.tableSectors, true);
  // 0x80 is the first fixed disk of a BIOS, 0 the first floppy disk.
  view.setUint8(tail, geometry.media === 0xf8 ? 0x80 : 0);
  view.setUint8(tail + TAIL_AT.mark, EXTENDED);
  view.setUint32(tail + TAIL_AT.id, identity.volumeId, true);
  bytes.set(identity.label, tail + TAIL_AT.label);
  bytes.set(ascii(`FAT${geometry.bits}   `), tail + TAIL_AT.kind);
  const code = Uint8Array.from(CODE.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  bytes.set(code, tail + TAIL_AT.code);
  view.setUint16(tail + TAIL_AT.code + 3, LOADED_AT + tail + TAIL_AT.code + code.length, true);
  bytes.set(ascii(TEXT), tail + TAIL_AT.code + code.length);
  view.setUint16(AT.signature, END_MARK, true);
  return bytes;
}

const SECTOR_SIZES = [512, 1024, 2048, 4096];

/**
 * Reads a boot sector. `size` is that of the region in bytes, `name` its name in errors.
 * @throws {ESP_NOT_FAT} when it is that of no FAT
 * @throws {FAT_MALFORMED} when it contradicts itself, or the region
 */
export function parseBootSector(bytes: Uint8Array, size: number, name: string): BootSector {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const other = otherSystem(bytes, view);
  if (other !== undefined) {
    throw new EspError('ESP_NOT_FAT', `${name}: expected a FAT file system, got ${other}`, {
      hint: 'name the partition that is the ESP',
    });
  }
  const geometry = readGeometry(view);
  const isLarge = geometry.bits === 32;
  const tail = isLarge ? TAIL.large : TAIL.small;
  const found: BootSector = {
    geometry,
    rootCluster: isLarge ? view.getUint32(AT.root, true) : 0,
    infoSector: isLarge ? view.getUint16(AT.info, true) : 0,
    volumeId: view.getUint32(tail + TAIL_AT.id, true),
    isDirty: (view.getUint8(tail + TAIL_AT.state) & 1) !== 0,
  };
  const wrong = contradiction(found, view, size);
  if (wrong === undefined) return found;
  throw malformed(name, `its boot sector: ${wrong}`);
}

/** Returns the error for bytes that are no whole FAT. */
export function malformed(name: string, what: string): EspError {
  return new EspError('FAT_MALFORMED', `${name}: ${what}`, {
    hint: 'nothing was changed: check it with fsck.fat, and mend it there',
  });
}

/** Returns whether bytes are the boot sector of a FAT, rather than of a disk or of something else. */
export function isBootSector(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return otherSystem(bytes, view) === undefined;
}

/** Returns what lies there instead of a FAT. */
function otherSystem(bytes: Uint8Array, view: DataView): string | undefined {
  if (bytes.length < 512) return `${bytes.length} bytes`;
  const system = new TextDecoder('latin1').decode(bytes.subarray(AT.system, AT.system + 8)).trim();
  if (['EXFAT', 'NTFS'].includes(system)) return system;
  if (view.getUint16(AT.signature, true) !== END_MARK) return 'no boot sector';
  const isBoot = [0xeb, 0xe9].includes(view.getUint8(0));
  const isSized = SECTOR_SIZES.includes(view.getUint16(AT.sectorSize, true));
  return isBoot && isSized && view.getUint8(AT.copies) > 0 ? undefined : 'another boot sector';
}

function readGeometry(view: DataView): Geometry {
  const sectorSize = view.getUint16(AT.sectorSize, true);
  const table16 = view.getUint16(AT.table16, true);
  const shape = {
    sectorSize,
    sectorsPerCluster: view.getUint8(AT.cluster),
    reserved: view.getUint16(AT.reserved, true),
    copies: view.getUint8(AT.copies),
    rootSlots: view.getUint16(AT.rootSlots, true),
    sectors: view.getUint16(AT.sectors16, true) || view.getUint32(AT.sectors32, true),
    tableSectors: table16 || view.getUint32(AT.table32, true),
    media: view.getUint8(AT.media),
    sectorsPerTrack: view.getUint16(AT.track, true),
    heads: view.getUint16(AT.heads, true),
  };
  const before = dataOffset({ ...shape, bits: 32, clusters: 0 }) / sectorSize;
  const clusters = Math.floor((shape.sectors - before) / shape.sectorsPerCluster);
  return { ...shape, clusters, bits: kindOf(table16, clusters) };
}

/** Returns what the kernel takes it for (Linux fs/fat/inode.c, §fat_fill_super). */
function kindOf(table16: number, clusters: number): FatBits {
  if (table16 === 0) return 32;
  return clusters > 4084 ? 16 : 12;
}

const MOST_CLUSTERS: Record<FatBits, number> = { 12: 4084, 16: 65_524, 32: 0x0fff_fff5 };
/** Allocation tables are kept in memory: an ESP has none as large. In bytes. */
const LARGEST_TABLE = 64 * 1024 * 1024;

function contradiction(
  { geometry, rootCluster, infoSector }: BootSector,
  view: DataView,
  size: number,
): string | undefined {
  const { bits, sectorSize, sectorsPerCluster, reserved, sectors, tableSectors } = geometry;
  const isPower = (of: number) => of > 0 && (of & (of - 1)) === 0;
  const entries = Math.floor((tableSectors * sectorSize * 8) / bits);
  const checks: readonly (readonly [isGood: boolean, text: string])[] = [
    [isPower(sectorsPerCluster), `${sectorsPerCluster} sectors in a cluster`],
    [reserved > 0, 'no reserved sectors'],
    [geometry.media >= 0xf8 || geometry.media === 0xf0, `medium ${geometry.media}`],
    [geometry.clusters > 0, 'no clusters'],
    [geometry.clusters <= MOST_CLUSTERS[bits], `${geometry.clusters} clusters on a FAT${bits}`],
    [sectors * sectorSize <= size, `${sectors} sectors of ${sectorSize} bytes in ${size} bytes`],
    [entries >= geometry.clusters + 2, `its table has ${counted(entries, 'entry', 'entries')}`],
    [tableSectors * sectorSize <= LARGEST_TABLE, `its table has ${tableSectors} sectors`],
    [bits === 32 || geometry.rootSlots > 0, 'no root directory'],
    [bits !== 32 || geometry.rootSlots === 0, 'two root directories'],
    [bits !== 32 || view.getUint16(AT.version, true) === 0, 'an unknown version'],
    [bits !== 32 || (view.getUint16(AT.flags, true) & 0x80) === 0, 'its tables are no mirrors'],
    [bits !== 32 || isCluster(rootCluster, geometry), `root directory at ${rootCluster}`],
    [infoSector < reserved || infoSector === 0xffff, `its counts at sector ${infoSector}`],
  ];
  return checks.find(([isGood]) => !isGood)?.[1];
}

/** Returns whether a number is that of a cluster. */
export function isCluster(cluster: number, { clusters }: Pick<Geometry, 'clusters'>): boolean {
  return cluster >= 2 && cluster < clusters + 2;
}

const INFO_AT = { first: 0, second: 484, free: 488, next: 492, third: 510 } as const;
const INFO_MARKS = { first: 0x4161_5252, second: 0x6141_7272 } as const;

/** How many clusters are free, and where to look for the next one. */
export interface FreeClusters {
  readonly free: number;
  readonly next: number;
}

/** Returns the sector that counts free clusters: 512 bytes. */
export function formatInfo({ free, next }: FreeClusters): Uint8Array {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  view.setUint32(INFO_AT.first, INFO_MARKS.first, true);
  view.setUint32(INFO_AT.second, INFO_MARKS.second, true);
  view.setUint32(INFO_AT.free, free, true);
  view.setUint32(INFO_AT.next, next, true);
  view.setUint16(INFO_AT.third, END_MARK, true);
  return bytes;
}

/** Returns what a sector says of free clusters, or undefined when it is no such sector. */
export function parseInfo(bytes: Uint8Array): FreeClusters | undefined {
  if (bytes.length < 512) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(INFO_AT.first, true) !== INFO_MARKS.first) return undefined;
  if (view.getUint32(INFO_AT.second, true) !== INFO_MARKS.second) return undefined;
  return { free: view.getUint32(INFO_AT.free, true), next: view.getUint32(INFO_AT.next, true) };
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
