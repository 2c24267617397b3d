/** What a disk image is: its format, table, file systems, hash trees, and what would boot from it. */
import { isEsp, type Numbered, partitionsOf } from '../disk/image-part.ts';
import { explain } from '../error.ts';
import { type Probed, probe } from '../filesystem/probe.ts';
import { type PartitionTable, readPartitionTable } from '../gpt/partition-table.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import { partOf } from '../verity/disk-pair.ts';
import { type InspectedEsp, inspectEsp } from './inspect-esp.ts';
import { type InspectedPair, inspectPairs } from './inspect-verity.ts';
import type { OpenedImage } from './opened-image.ts';

/** A partition, and what lies in it. Offset and size in bytes. */
export interface InspectedPartition {
  readonly number: number;
  /** As systemd names it, else as the table has it. */
  readonly type: string;
  readonly uuid: string;
  readonly name: string | undefined;
  readonly offset: number;
  readonly size: number;
  /** Bits 0 to 63 in hexadecimal; undefined in an MBR. */
  readonly attributes: string | undefined;
  readonly fileSystem: Probed | undefined;
}

/** An image. Sizes in bytes. */
export interface InspectedImage {
  readonly format: string;
  /** The size of the disk, and of the file that it is in. */
  readonly size: number;
  readonly fileSize: number;
  readonly table: {
    readonly kind: 'gpt' | 'dos' | 'none';
    readonly uuid: string | undefined;
    readonly sectorSize: number | undefined;
  };
  readonly partitions: readonly InspectedPartition[];
  /** Where there is no table: what the image is as a whole. */
  readonly fileSystem: Probed | undefined;
  readonly verity: readonly InspectedPair[];
  readonly esps: readonly InspectedEsp[];
  /** What is wrong, beside what hash trees and ESPs tell. */
  readonly problems: readonly string[];
}

/**
 * Looks into an image.
 * @throws {GPT_MALFORMED} when it has a partition table, and neither copy is whole
 */
export async function inspectImage(
  name: string,
  { disk, context, fileSize }: OpenedImage,
  isDeep: boolean,
): Promise<InspectedImage> {
  const numbered = partitionsOf(disk, name);
  const gpt = numbered?.[0]?.scheme === 'gpt' ? readPartitionTable(disk, name) : undefined;
  const verity =
    gpt === undefined
      ? []
      : await inspectPairs(disk, gpt.partitions, { name, isDeep, progress: context.progress });
  const partitions = (numbered ?? []).map((partition) => inspected(partition, gpt, disk));
  const whole = numbered === undefined ? probe(disk) : undefined;
  const rootHashes = verity.flatMap(({ rootHash }) => rootHash ?? []);
  const numbers = (numbered ?? []).filter(isEsp).map(({ number }) => number);
  const places = whole?.type === 'vfat' ? [undefined] : numbers;
  const esps: InspectedEsp[] = [];
  for (const place of places) esps.push(await inspectEsp(name, place, rootHashes, context));
  return {
    ...{ format: disk.format, size: disk.size, fileSize },
    table: {
      kind: numbered === undefined ? 'none' : gpt === undefined ? 'dos' : 'gpt',
      uuid: gpt?.uuid,
      sectorSize: gpt?.sectorSize,
    },
    ...{ partitions, fileSystem: whole, verity, esps, problems: tableProblems(disk, gpt, name) },
  };
}

function inspected(
  { number, type, uuid, offset, size }: Numbered,
  gpt: PartitionTable | undefined,
  disk: OpenedImage['disk'],
): InspectedPartition {
  const entry = gpt?.partitions.find((partition) => partition.number === number);
  return {
    ...{ number, type: partitionTypeName(type), uuid, offset, size },
    name: entry?.name,
    attributes: entry?.attributes.toString(16),
    fileSystem: probe(partOf(disk, { offset, size })),
  };
}

/** Firmware reads the primary copy, and Linux complains when the backup is not at the end. */
function tableProblems(
  disk: OpenedImage['disk'],
  gpt: PartitionTable | undefined,
  name: string,
): readonly string[] {
  if (gpt === undefined) return [];
  if (gpt.copy === 'backup') return ['the primary partition table is damaged; its backup was read'];
  try {
    // Without its first sectors a disk has the backup alone.
    const hidden = gpt.sectorSize * 2;
    const behind = {
      size: disk.size,
      read: (at: number, length: number) =>
        at < hidden ? new Uint8Array(length) : disk.read(at, length),
    };
    readPartitionTable(behind, name);
    return [];
  } catch (error) {
    return [`the backup of the partition table is not whole: ${explain(error)}`];
  }
}
