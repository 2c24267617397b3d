/** Finds the ESP in the bytes of a disk image, by its partition table or as it was asked for. */

import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { isBootSector } from '../fat/boot-sector.ts';
import { MBR_SIZE, MBR_TYPES, readMbr } from '../gpt/mbr.ts';
import { readPartitionTable } from '../gpt/partition-table.ts';
import { exactSize } from '../quantity.ts';
import type { ImagePartition } from './disk.ts';
import { ESP_TYPES, type ImagePlace } from './image-place.ts';

/** Where an ESP lies in an image, in bytes. */
export interface ImagePart {
  readonly offset: number;
  readonly size: number;
  /** How it is named once it is found. */
  readonly name: string;
  /** Undefined where there is no partition table, or no partition begins there. */
  readonly partition?: ImagePartition;
  /** Of that partition. */
  readonly number?: number;
  /** Of the disk, in bytes, where there is a partition table. */
  readonly sectorSize?: number;
}

/** A partition, with its number and where it lies, in bytes. */
export interface Numbered extends ImagePartition {
  readonly number: number;
  /** Of the disk, in bytes. */
  readonly sectorSize: number;
  readonly offset: number;
  readonly size: number;
}

/**
 * Returns where the ESP lies.
 * @param file the image's path, for messages and for the part's name
 * @throws {CONFIG_INVALID} when it is no raw image, or does not have what was asked for
 * @throws {GPT_MALFORMED} when its partition table is damaged
 */
export function findPart(image: ByteSource, { file, part }: ImagePlace): ImagePart {
  requireRaw(image, file);
  if (part !== undefined && 'offset' in part) {
    const { offset } = part;
    if (offset >= image.size) throw absent(`${file}@${offset}`, `its ${exactSize(image.size)}`);
    const name = `${file}@${offset}`;
    return { offset, size: image.size - offset, name, ...partitionAt(offset, image, file) };
  }
  const partitions = partitionsOf(image, file);
  if (partitions === undefined && part === undefined) {
    return { offset: 0, size: image.size, name: file };
  }
  const all = partitions ?? [];
  const wanted =
    part === undefined ? all.filter(isEsp) : all.filter(({ number }) => number === part.number);
  const [found, other] = wanted;
  if (found === undefined) {
    throw absent(part === undefined ? file : `${file}#${part.number}`, listed(all));
  }
  if (other !== undefined) {
    throw new EspError('CONFIG_INVALID', `${file}: it has ${wanted.length} partitions for ESPs`, {
      hint: `name one of them: --esp ${file}#${found.number}`,
    });
  }
  const { number, sectorSize, offset, size, ...partition } = found;
  return { offset, size, name: `${file}#${number}`, partition, number, sectorSize };
}

/** Returns the partition that begins at an offset. Whoever names an offset may do so for want of a whole table. */
function partitionAt(
  offset: number,
  image: ByteSource,
  file: string,
): Pick<ImagePart, 'partition' | 'number'> & { readonly size?: number } {
  try {
    const found = partitionsOf(image, file)?.find((each) => each.offset === offset);
    if (found === undefined) return {};
    const { number, offset: _, size, ...partition } = found;
    return { size, partition, number };
  } catch (error) {
    if (error instanceof EspError) return {};
    throw error;
  }
}

/** Returns whether a partition has the type of an ESP. */
export function isEsp({ scheme, type }: Pick<ImagePartition, 'scheme' | 'type'>): boolean {
  return Object.hasOwn(ESP_TYPES, scheme) && type === ESP_TYPES[scheme];
}

function absent(what: string, among: string): EspError {
  return new EspError('CONFIG_INVALID', `${what}: there is no ESP, among ${among}`, {
    hint: 'name the partition, as disk.raw#2, or where it begins in bytes, as disk.raw@1M',
  });
}

function listed(partitions: readonly Numbered[]): string {
  const each = partitions.map(({ number, scheme, type }) => `#${number} (${scheme} ${type})`);
  return each.join(', ') || 'no partitions';
}

const PROTECTIVE = MBR_TYPES.protective;
/** Where the MBR has the type of each partition: an unused one keeps its number (UEFI §5.2.1). */
const MBR_TYPES_AT = [450, 466, 482, 498];
const GPT_MARK = 'EFI PART';
const SECTOR = 512;

/** Returns the partitions; undefined for an image that is one file system as a whole. */
export function partitionsOf(image: ByteSource, file: string): readonly Numbered[] | undefined {
  const first = image.read(0, MBR_SIZE);
  const mbr = first.length < MBR_SIZE ? undefined : readMbr(first);
  const second = new TextDecoder('latin1').decode(image.read(SECTOR, GPT_MARK.length));
  const isGpt = second === GPT_MARK || mbr?.partitions.some(({ type }) => type === PROTECTIVE);
  if (isGpt) {
    const { sectorSize, partitions } = readPartitionTable(image, file);
    return partitions.map(({ number, offset, size, type, uuid }) => ({
      ...{ scheme: 'gpt', number, sectorSize, offset, size, type, uuid },
    }));
  }
  if (mbr === undefined || isBootSector(first)) return undefined;
  const numbers = MBR_TYPES_AT.flatMap((at, index) => (first[at] === 0 ? [] : [index + 1]));
  return mbr.partitions.map(({ type, first: start, count }, index) => {
    const number = numbers[index] ?? 0;
    const signature = mbr.signature.toString(16).padStart(8, '0');
    return {
      ...{
        scheme: 'dos',
        number,
        sectorSize: SECTOR,
        offset: start * SECTOR,
        size: count * SECTOR,
      },
      type: `0x${type.toString(16)}`,
      uuid: `${signature}-${String(number).padStart(2, '0')}`,
    };
  });
}

/** First bytes of what an image may be instead of raw, and what makes it raw. */
const OTHERS: readonly (readonly [offset: number, bytes: string, what: string, raw: string])[] = [
  [0, 'QFI\xfb', 'a qcow2 image', 'espalier image convert'],
  [0, 'KDMV', 'a VMDK image', 'qemu-img convert -O raw'],
  [0, '# Disk DescriptorFile', 'a VMDK description', 'qemu-img convert -O raw'],
  [0, 'vhdxfile', 'a VHDX image', 'qemu-img convert -O raw'],
  [0, 'conectix', 'a VHD image', 'espalier image convert'],
  [64, '\x7f\x10\xda\xbe', 'a VDI image', 'espalier image convert'],
  [0, '\x1f\x8b', 'compressed with gzip', 'gzip -dk'],
  [0, '\xfd7zXZ', 'compressed with xz', 'xz -dk'],
  [0, '\x28\xb5\x2f\xfd', 'compressed with zstd', 'zstd -dk'],
  [0, 'BZh', 'compressed with bzip2', 'bzip2 -dk'],
];

function requireRaw(image: ByteSource, file: string): void {
  const text = new TextDecoder('latin1').decode(image.read(0, 128));
  const other = OTHERS.find(([offset, bytes]) => text.startsWith(latin1(bytes), offset));
  if (other === undefined) return;
  const [, , what, program] = other;
  throw new EspError('CONFIG_INVALID', `${file}: expected a raw disk image, got ${what}`, {
    hint: `convert it first: ${program} ${file}${/ convert( |$)/.test(program) ? ' disk.raw' : ''}`,
  });
}

/** TextDecoder takes latin1 for Windows-1252, in which some bytes mean other characters. */
function latin1(bytes: string): string {
  return new TextDecoder('latin1').decode(Uint8Array.from(bytes, (unit) => unit.charCodeAt(0)));
}
