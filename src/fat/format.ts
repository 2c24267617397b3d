/** Makes an empty FAT: the bytes of mkfs.fat for the same layout. */
import { EspError } from '../error.ts';
import { BACKUP, formatBootSector, formatInfo, INFO } from './boot-sector.ts';
import { espGeometry, type Geometry, rootOffset } from './geometry.ts';
import { ATTRIBUTE, formatRecord } from './record.ts';
import { type Region, SLOT } from './region.ts';
import { labelBytes } from './short-name.ts';

/** What a new FAT is to be. */
export interface Formatting {
  readonly region: Region;
  /** Without one: that of an ESP which firmware takes, over the whole region. */
  readonly geometry?: Geometry;
  /** In bytes, without a layout: 512, which is the default, or 4096. */
  readonly sectorSize?: number;
  /** Up to 11 characters of ASCII. Without one, there is none. */
  readonly label?: string;
  /** 32 bits. */
  readonly volumeId: number;
  /** Where the partition begins on its disk, in sectors of the FAT. Default 0. */
  readonly hidden?: number;
  /** Seconds since the epoch: the time of the label. */
  readonly epoch: number;
}

const NO_LABEL = 'NO NAME';
/** Bytes of the tables that are cleared at once. */
const PIECE = 64 * 1024;

/**
 * Makes an empty FAT in a region. Nothing of what was there is read, and what lies behind the root
 * directory stays. Returns its layout. The caller makes it durable.
 * @throws {CONFIG_INVALID} when no ESP has this size, or no volume this label
 */
export function formatFat(formatting: Formatting): Geometry {
  const { region, label = '', volumeId, hidden = 0, epoch } = formatting;
  const geometry = formatting.geometry ?? espGeometry(region.size, formatting.sectorSize);
  const given = labelBytes(label);
  const bytes = labelBytes(label === '' ? NO_LABEL : label);
  if (given === undefined || bytes === undefined) throw noLabel(label);
  const { sectorSize, bits, clusters, sectorsPerCluster } = geometry;
  const rootBytes = bits === 32 ? sectorsPerCluster * sectorSize : geometry.rootSlots * SLOT;
  clear(region, rootOffset(geometry) + rootBytes);
  const boot = formatBootSector(geometry, { label: bytes, volumeId, hidden });
  region.writeAt(0, boot);
  if (bits === 32) {
    const info = formatInfo({ free: clusters - 1, next: 2 });
    region.writeAt(INFO * sectorSize, info);
    region.writeAt(BACKUP * sectorSize, boot);
    region.writeAt((BACKUP + INFO) * sectorSize, info);
  }
  for (let copy = 0; copy < geometry.copies; copy++) {
    const at = (geometry.reserved + copy * geometry.tableSectors) * sectorSize;
    region.writeAt(at, firstEntries(geometry));
  }
  if (label !== '') {
    const leads = { attributes: ATTRIBUTE.label, cluster: 0, size: 0, written: epoch };
    region.writeAt(rootOffset(geometry), formatRecord(bytes, leads));
  }
  return geometry;
}

/** Returns the entries of an empty table: the medium, a mark, and the root directory of FAT32. */
function firstEntries({ bits, media }: Geometry): Uint8Array {
  if (bits === 12) return Uint8Array.of(media, 0xff, 0xff);
  if (bits === 16) return Uint8Array.of(media, 0xff, 0xff, 0xff);
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0fff_ff00 | media, true);
  view.setUint32(4, 0x0fff_ffff, true);
  view.setUint32(8, 0x0fff_fff8, true);
  return bytes;
}

/** Writes zeros, except where they are: a hole of a sparse file stays one. */
function clear(region: Region, size: number): void {
  const zeros = new Uint8Array(PIECE);
  for (let at = 0; at < size; at += PIECE) {
    const piece = zeros.subarray(0, Math.min(PIECE, size - at));
    const there = region.read(at, piece.length);
    if (Buffer.compare(there, piece) !== 0) region.writeAt(at, piece);
  }
}

function noLabel(label: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `${JSON.stringify(label)}: expected at most 11 characters of ASCII, without *?.,;:/\\|+=<>[]"`,
    { hint: 'give the volume another label' },
  );
}
