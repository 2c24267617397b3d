/** The five partition tables of nixpkgs' make-disk-image.nix, sector for sector. Sizes in bytes. */

import { EspError } from '../error.ts';
import type { NewTable } from '../gpt/format-table.ts';
import { FILE_DISK, MBR_TYPES, type MbrPartition } from '../gpt/mbr.ts';
import type { Partition } from '../gpt/partition-table.ts';
import { partitionTypeGuid } from '../gpt/partition-type.ts';
import type { Guid } from '../guid.ts';
import { exactSize } from '../quantity.ts';
import { asGuid } from './identity.ts';

/** Its `partitionTableType`. */
export const NIXPKGS_TABLES = ['none', 'legacy', 'legacy+gpt', 'efi', 'hybrid'] as const;
export type NixpkgsTable = (typeof NIXPKGS_TABLES)[number];

/** What make-disk-image is called with. */
export interface NixpkgsParameters {
  readonly table: NixpkgsTable;
  /** Where the ESP ends; see {@link parseBootSize}. */
  readonly bootSize: BootSize;
  /** `rootGPUID`; its own where it is not given. */
  readonly rootUuid?: Guid | undefined;
}

/** A size that parted reads in one unit, and numfmt in another. */
export interface BootSize {
  /** Where parted ends the ESP. */
  readonly end: number;
  /** What is kept free for it when the disk's size is computed. */
  readonly reserved: number;
}

/** Where something of such an image lies. */
export interface Region {
  readonly offset: number;
  readonly size: number;
}

/** A disk with such a table. */
export interface NixpkgsLayout {
  readonly root: Region;
  readonly esp?: Region;
  /** Where a BIOS boot partition has the loader's core. */
  readonly biosBoot?: Region;
  /** What is written at both ends of a disk with a GUID partition table. */
  readonly gpt?: Omit<NewTable, 'size'>;
  readonly msdos?: MbrPartition;
}

const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const MB = 1_000_000;

/** As sgdisk reads the 35 characters in make-disk-image: the same on every image. */
const DISK = asGuid('97fd5997-f390-0b4a-a3f8-d106c1723aea');
const FIRST = asGuid('1c06f03b-704e-4657-b9cd-681a087a2fdc');
const SECOND = asGuid('970c694f-afd0-4b99-b750-cdb7a329ab6f');
const ROOT = asGuid('f222513b-ded1-49fa-b591-20ce86a2fe7f');
/** parted and sgdisk let partitions begin right behind the table. */
const FIRST_USABLE = 34 * SECTOR;
const ESP_START = 8 * MIB;

/**
 * Returns a size as make-disk-image means it: `256M` is 256 MB where parted ends a partition, which
 * goes to the nearest MiB, and 256 MiB in the sum of the disk. `256MiB` is 256 MiB in both.
 */
export function parseBootSize(text: string): BootSize | undefined {
  const [, number = '', unit = ''] = /^(\d{1,9})([MG])(iB)?$/.exec(text) ?? [];
  if (number === '') return undefined;
  const factor = unit === 'G' ? 1000 : 1;
  const binary = Number(number) * (unit === 'G' ? 1024 : 1) * MIB;
  const isBinary = text.endsWith('iB');
  const end = isBinary ? binary : Math.round((Number(number) * factor * MB) / MIB) * MIB;
  return { end, reserved: binary };
}

/** What the first partition leaves free at the front, and the table at the end. */
const TABLE_SPACE = 17 * KIB;

/** Returns the size of a disk for so much content: whole MiB, as make-disk-image computes it. */
export function nixpkgsDiskSize(
  { table, bootSize }: NixpkgsParameters,
  content: { readonly blocks: number; readonly inodes: number },
  additional: number,
): number {
  const used = (content.blocks + 2 * content.inodes) * 4096;
  const reserved = {
    none: 0,
    legacy: MIB,
    'legacy+gpt': 2 * MIB + TABLE_SPACE,
    efi: bootSize.reserved + TABLE_SPACE,
    hybrid: bootSize.reserved + TABLE_SPACE,
  }[table];
  const needed = used + Math.round(used * 0.052) + additional + reserved;
  return Math.ceil(needed / MIB) * MIB;
}

/**
 * Returns where everything lies on a disk of this size.
 * @throws {IMAGE_FULL} when it is too small
 */
export function nixpkgsLayout(parameters: NixpkgsParameters, size: number): NixpkgsLayout {
  if (size % MIB !== 0) {
    throw new EspError('CONFIG_INVALID', `a disk of ${exactSize(size)}: expected whole MiB`);
  }
  const layout = layouts[parameters.table](parameters, size);
  const { root } = layout;
  if (root.size > 0) return layout;
  throw new EspError(
    'IMAGE_FULL',
    `a disk of ${exactSize(size)} has no room for a root partition from byte ${root.offset} on`,
    { hint: 'give a larger size, or auto' },
  );
}

/** Returns what is left for the root on a disk of this size, in bytes; less than 0 where it is too small. */
export function nixpkgsRootSize(parameters: NixpkgsParameters, size: number): number {
  return layouts[parameters.table](parameters, size).root.size;
}

const layouts: Readonly<
  Record<NixpkgsTable, (parameters: NixpkgsParameters, size: number) => NixpkgsLayout>
> = {
  none: (_, size) => ({ root: { offset: 0, size } }),
  legacy(_, size) {
    const root = rest(MIB, size);
    return {
      root,
      msdos: { type: MBR_TYPES.linux, first: root.offset / SECTOR, count: root.size / SECTOR },
    };
  },
  'legacy+gpt'({ rootUuid = SECOND }, size) {
    const [biosBoot, root] = [between(MIB, 2 * MIB), rest(2 * MIB, size)];
    const partitions = [
      partition(1, 'bios-boot', 'no-fs', FIRST, biosBoot),
      partition(2, 'linux-generic', 'primary', rootUuid, root),
    ];
    return { root, biosBoot, gpt: gpt(partitions) };
  },
  efi({ bootSize: { end }, rootUuid = ROOT }, size) {
    const [esp, root] = [between(ESP_START, end), rest(end, size)];
    const partitions = [
      partition(1, 'esp', 'ESP', FIRST, esp),
      partition(2, 'linux-generic', 'primary', rootUuid, root),
    ];
    return { root, esp, gpt: gpt(partitions) };
  },
  hybrid({ bootSize: { end }, rootUuid = ROOT }, size) {
    const [esp, root] = [between(ESP_START, end), rest(end, size)];
    const biosBoot = between(FIRST_USABLE, MIB);
    const partitions = [
      partition(1, 'esp', 'ESP', FIRST, esp),
      partition(2, 'bios-boot', 'no-fs', SECOND, biosBoot),
      partition(3, 'linux-generic', 'primary', rootUuid, root),
    ];
    return { root, esp, biosBoot, gpt: gpt(partitions) };
  },
};

/** How parted makes the first sector of a disk in a file, without its boot code. */
export const MSDOS_GEOMETRY = FILE_DISK;

function between(offset: number, end: number): Region {
  return { offset, size: end - offset };
}

/** parted’s `-1` is one MB before the end, which goes to the nearest MiB. */
function rest(offset: number, size: number): Region {
  return between(offset, size - MIB);
}

function partition(number: number, type: string, name: string, uuid: Guid, at: Region): Partition {
  const guid = partitionTypeGuid(type, '');
  return { number, type: guid ?? asGuid(type), uuid, name, attributes: 0n, ...at };
}

function gpt(partitions: readonly Partition[]): Omit<NewTable, 'size'> {
  return { sectorSize: SECTOR, uuid: DISK, firstUsable: FIRST_USABLE, partitions };
}
