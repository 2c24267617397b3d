/** What is wrong with an ESP as a file system: who may read it, and whether it was left in order. */
import type { ByteSource } from '../byte-source.ts';
import type { Disk } from '../disk/disk.ts';
import { enumerated } from '../quantity.ts';
import type { EspPath } from './layout.ts';

const OTHERS_READ = 0o004;
const OTHERS_ENTER = 0o001;

/**
 * Says that files with secrets are such that everyone may read them.
 * @param secret the paths on the ESP of what holds secrets
 */
export function exposure(
  root: string,
  secret: readonly EspPath[],
  disk: Pick<Disk, 'linkStat'>,
): string | undefined {
  const mode = (path: string) => disk.linkStat(path)?.mode ?? 0;
  if ((mode(root) & OTHERS_ENTER) === 0) return undefined;
  const open = secret.filter((path) => (mode(`${root}/${path}`) & OTHERS_READ) !== 0);
  if (open.length === 0) return undefined;
  return `every user of this machine may read what holds secrets on it, ${enumerated(open, 1)}: mount it with the option umask=0077`;
}

/** Offsets and bits of FAT §Boot sector and BPB, and §File allocation table. */
const SECTOR = 512;
const SIGNATURE = 0xaa55;
const DIRTY = 1;
const FAT16_ENTRIES = 65_525;
const FAT12_ENTRIES = 4085;
/** Bits of the second entry: set while the file system is in order. */
const IN_ORDER = { 16: { clean: 1 << 15, whole: 1 << 14 }, 32: { clean: 1 << 27, whole: 1 << 26 } };

/** How a FAT was left: not unmounted, or with an error of the disk. */
export interface FatCondition {
  readonly isDirty: boolean;
  readonly hasErrors: boolean;
}

/**
 * Reads how a FAT was left, from its first bytes.
 * @param isInUse it is mounted for writing: the kernel then marks the first sector itself
 * @returns undefined for what is no FAT
 */
export function fatCondition(source: ByteSource, isInUse: boolean): FatCondition | undefined {
  const bytes = source.read(0, SECTOR);
  if (bytes.length < SECTOR) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
  const sectorSize = view.getUint16(11, true);
  const clusterSectors = view.getUint8(13);
  const fatAt = view.getUint16(14, true) * sectorSize;
  if (view.getUint16(510, true) !== SIGNATURE || sectorSize < SECTOR || clusterSectors === 0) {
    return undefined;
  }
  const kind = kindOf(view, sectorSize, clusterSectors);
  // FAT12 keeps no such bits.
  if (kind === 12) return { isDirty: false, hasErrors: false };
  const marked = !isInUse && (view.getUint8(kind === 32 ? 65 : 37) & DIRTY) !== 0;
  const entry = source.read(fatAt + kind / 8, kind / 8);
  if (entry.length < kind / 8) return undefined;
  const second = entry.reduceRight((sum, byte) => sum * 256 + byte, 0);
  const { clean, whole } = IN_ORDER[kind];
  return { isDirty: marked || (second & clean) === 0, hasErrors: (second & whole) === 0 };
}

/** The number of clusters alone tells the kind (FAT §FAT type determination). */
function kindOf(view: DataView, sectorSize: number, clusterSectors: number): 12 | 16 | 32 {
  const fatSectors = view.getUint16(22, true) || view.getUint32(36, true);
  const sectors = view.getUint16(19, true) || view.getUint32(32, true);
  const rootSectors = Math.ceil((view.getUint16(17, true) * 32) / sectorSize);
  const reserved = view.getUint16(14, true) + view.getUint8(16) * fatSectors + rootSectors;
  const clusters = Math.floor((sectors - reserved) / clusterSectors);
  if (clusters < FAT12_ENTRIES) return 12;
  return clusters < FAT16_ENTRIES ? 16 : 32;
}

/** Says what is wrong with a FAT, and the line that mends it. `device` is its block device. */
export function disorder(
  root: string,
  device: string,
  { isDirty, hasErrors }: FatCondition,
): string | undefined {
  if (!isDirty && !hasErrors) return undefined;
  const what = hasErrors ? 'the disk had errors there' : 'it was not unmounted in order';
  return `${what}: run umount ${root} && fsck.fat -a ${device}, and mount it again`;
}
