/** Where everything of a FAT lies, for a size: the arithmetic of mkfs.fat, and the rule for an ESP. */

import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import { SLOT } from './region.ts';

/** How many bits an entry of the allocation table has. */
export type FatBits = 12 | 16 | 32;

/** The layout of a FAT. Sizes in sectors, where nothing else is said. */
export interface Geometry {
  readonly bits: FatBits;
  /** In bytes. */
  readonly sectorSize: number;
  readonly sectorsPerCluster: number;
  /** Sectors before the first allocation table. */
  readonly reserved: number;
  /** How many copies of the allocation table there are. */
  readonly copies: number;
  /** Slots of the root directory of FAT12 and FAT16; 0 on FAT32, where it is a chain of clusters. */
  readonly rootSlots: number;
  readonly sectors: number;
  /** Sectors of one allocation table. */
  readonly tableSectors: number;
  readonly clusters: number;
  readonly media: number;
  readonly sectorsPerTrack: number;
  readonly heads: number;
}

/** What may be asked of a new FAT. */
export interface Wanted {
  readonly bits?: FatBits | undefined;
  /** In bytes. */
  readonly clusterSize?: number | undefined;
  /** In bytes: 512, which is the default, or 4096. */
  readonly sectorSize?: number | undefined;
}

const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const COPIES = 2;
/** Up to here nothing is aligned to clusters, as on floppy disks. In sectors. */
const TINY = 8192;
const FAT32_FROM = 512 * MIB;

/** The most clusters of each kind. */
const MOST = { 12: 4084, 16: 65_524, 32: 0x0fff_fff4 } as const;
/** mkfs.fat stays away from the border between FAT12 and FAT16, which some systems draw elsewhere. */
const FEWEST_16 = 4087;

/** The fewest clusters with which every firmware takes a FAT32 for one (EDK2 FatPkg). */
const FEWEST_32 = 65_525;
/** Below this size no FAT32 has as many clusters. In bytes, by the size of a sector. */
const SMALLEST_ESP: Readonly<Record<number, number>> = { 512: 33 * MIB, 4096: 257 * MIB };
/** Clusters of an ESP have so many bytes where that leaves enough of them. */
const USUAL_CLUSTER = 4096;

const FLOPPY = { track: 18, heads: 2, media: 0xf0, cluster: 1, slots: 224 };
/** What mkfs.fat gives every disk that has not the size of a floppy disk. */
const FIXED = { media: 0xf8, slots: 512, cluster: 4 } as const;
/** What it gives floppy disks, by their size in KiB. */
const FLOPPIES: Readonly<Record<number, typeof FLOPPY>> = {
  360: { ...FLOPPY, track: 9, media: 0xfd, cluster: 2, slots: 112 },
  720: { ...FLOPPY, track: 9, media: 0xf9, cluster: 2, slots: 112 },
  1200: { ...FLOPPY, track: 15, media: 0xf9 },
  1440: FLOPPY,
  2880: { ...FLOPPY, track: 36, cluster: 2 },
};

/**
 * Returns the layout that mkfs.fat gives a file of `size` bytes (dosfstools 4.2).
 * @throws {CONFIG_INVALID} when no FAT of that kind has this size
 */
export function mkfsGeometry(
  size: number,
  { bits, clusterSize, sectorSize = SECTOR }: Wanted = {},
): Geometry {
  const total = Math.floor(size / sectorSize);
  const floppy = FLOPPIES[Math.floor(size / KIB)];
  const { track, heads, media, slots } = { ...FIXED, ...tracksOf(total), ...floppy };
  const sectors = Math.floor(total / track) * track;
  const kind = bits ?? (size >= FAT32_FROM ? 32 : undefined);
  const shape = { sectors, sectorSize, rootSlots: slots, isAligned: sectors > TINY };
  const first = kind === 32 ? clusterOf32(total) : (floppy?.cluster ?? FIXED.cluster);
  const asked = clusterSize && clusterSize / sectorSize;
  const [from, to] = asked ? [asked, asked] : [first, 128];
  for (let cluster = from; cluster >= 1 && cluster <= to; cluster *= 2) {
    const found = kind === undefined ? widest(cluster, shape) : layout(kind, cluster, shape);
    if (found !== undefined) return { ...found, sectors, media, sectorsPerTrack: track, heads };
  }
  throw new EspError(
    'CONFIG_INVALID',
    `a FAT${bits ?? ''} of ${exactSize(size)}: no number of clusters fits`,
    { hint: 'choose another size, another kind of FAT, or another size of clusters' },
  );
}

/**
 * Returns the layout of an ESP that firmware takes: FAT32 with the largest clusters up to 4 KiB that
 * leave enough of them.
 * @throws {CONFIG_INVALID} when `size` is below 33 MiB; below 257 MiB with sectors of 4096 bytes
 */
export function espGeometry(size: number, sectorSize = SECTOR): Geometry {
  const smallest = SMALLEST_ESP[sectorSize] ?? Number.POSITIVE_INFINITY;
  const largest = Math.max(USUAL_CLUSTER / sectorSize, clusterOf32(size / sectorSize));
  for (let cluster = largest; cluster >= 1 && size >= smallest; cluster /= 2) {
    const found = mkfsGeometry(size, { bits: 32, clusterSize: cluster * sectorSize, sectorSize });
    if (found.clusters >= FEWEST_32) return found;
  }
  throw new EspError(
    'CONFIG_INVALID',
    `an ESP of ${exactSize(size)}: expected at least ${exactSize(smallest)}: firmware takes no smaller FAT32`,
    { hint: 'make the ESP larger; some firmware reads FAT16, if you ask for that' },
  );
}

/** Returns why firmware may take a FAT for none; undefined when it will not. */
export function firmwareComplaint({ bits, clusters }: Geometry): string | undefined {
  if (bits !== 32 || clusters >= FEWEST_32) return undefined;
  return `firmware may not read it: expected a FAT32 of at least ${FEWEST_32} clusters, got ${clusters}; format it anew, with smaller clusters`;
}

/** Returns the sectors per cluster that mkfs.fat tries first for FAT32: it takes each sector for 512 bytes. */
function clusterOf32(sectors: number): number {
  const mebibytes = Math.floor((sectors * SECTOR) / MIB);
  const [, cluster = 1] = CLUSTERS_32.find(([above]) => mebibytes > above) ?? [];
  return cluster;
}

const CLUSTERS_32 = [
  [32 * KIB, 64],
  [16 * KIB, 32],
  [8 * KIB, 16],
  [260, 8],
] as const;

/** Returns cylinders' shape, which only the size follows from: whole tracks are used. */
function tracksOf(total: number): { readonly track: number; readonly heads: number } {
  const [, track, heads] = TRACKS.find(([upTo]) => total <= upTo) ?? [0, 63, 255];
  return { track, heads };
}

const CYLINDER = 63 * 1024;
/** Up to so many sectors: sectors per track, and heads. */
const TRACKS: readonly (readonly [upTo: number, track: number, heads: number])[] = [
  [4096, 16, 2],
  [32_768, 32, 2],
  [65_536, 32, 4],
  [262_144, 32, 8],
  [524_288, 32, 16],
  [16 * CYLINDER, 63, 16],
  [32 * CYLINDER, 63, 32],
  [64 * CYLINDER, 63, 64],
  [128 * CYLINDER, 63, 128],
];

/** What does not depend on the kind of FAT. */
interface Shape {
  readonly sectors: number;
  /** In bytes. */
  readonly sectorSize: number;
  readonly rootSlots: number;
  /** Whether tables and root directory are as long as whole clusters. */
  readonly isAligned: boolean;
}

type Layout = Omit<Geometry, 'media' | 'sectorsPerTrack' | 'heads' | 'sectors'>;

/** Returns the kind with more clusters, among those that small file systems have. */
function widest(cluster: number, shape: Shape): Layout | undefined {
  const [small, large] = [layout(12, cluster, shape), layout(16, cluster, shape)];
  return (large?.clusters ?? 0) > (small?.clusters ?? 0) ? large : small;
}

function layout(bits: FatBits, cluster: number, shape: Shape): Layout | undefined {
  const align = (of: number) => (shape.isAligned ? Math.ceil(of / cluster) * cluster : of);
  const { sectorSize } = shape;
  const slots = sectorSize / SLOT;
  const reserved = align(bits === 32 ? 32 : 1);
  const root = bits === 32 ? 0 : align(Math.ceil(shape.rootSlots / slots));
  const rest = shape.sectors - reserved - root;
  // Two tables hold an entry for each cluster, and two entries more.
  const perCluster = cluster * sectorSize + (COPIES * bits) / 8;
  const guess = Math.floor((rest * sectorSize + (COPIES * 2 * bits) / 8) / perCluster);
  const tableSectors = align(Math.ceil(Math.floor(((guess + 2) * bits + 7) / 8) / sectorSize));
  const clusters = Math.floor((rest - COPIES * tableSectors) / cluster);
  const entries = Math.floor((tableSectors * sectorSize * 8) / bits);
  const most = Math.min(entries - 2, MOST[bits]);
  const isSmall = bits === 16 && clusters < FEWEST_16;
  if (clusters <= 0 || clusters > most || isSmall) return undefined;
  const rootSlots = shape.isAligned ? root * slots : shape.rootSlots;
  return {
    ...{ bits, sectorSize, sectorsPerCluster: cluster, reserved, copies: COPIES },
    ...{ rootSlots: bits === 32 ? 0 : rootSlots, tableSectors, clusters },
  };
}

/** Returns where the root directory of FAT12 and FAT16 begins, in bytes. */
export function rootOffset({ reserved, copies, tableSectors, sectorSize }: Geometry): number {
  return (reserved + copies * tableSectors) * sectorSize;
}

/** Returns where the first cluster begins, in bytes. */
export function dataOffset(geometry: Geometry): number {
  const { rootSlots, sectorSize } = geometry;
  return rootOffset(geometry) + Math.ceil((rootSlots * SLOT) / sectorSize) * sectorSize;
}
