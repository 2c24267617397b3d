/** What systemd-repart prints of an image with `--json` (systemd-repart(8)). */
import { partitionTypeName } from '../gpt/partition-type.ts';
import type { PartitionDefinition } from './definition.ts';
import type { Place } from './layout.ts';

/** A partition that was made. */
export interface MadePartition {
  readonly definition: PartitionDefinition;
  readonly label: string;
  readonly uuid: string;
  readonly place: Place;
  /** Of its group, where it is part of one; `TBD` where nobody knows it yet. */
  readonly rootHash?: string | undefined;
  /** Its own file, where the image was split. */
  readonly splitPath?: string | undefined;
}

/** Returns one row a partition, in the order of the table. Sizes in bytes. */
export function repartRows(made: readonly MadePartition[], image: string, isSplit: boolean) {
  const hasHash = made.some(({ rootHash }) => rootHash !== undefined);
  const hasDropIns = made.some(({ definition }) => definition.dropIns.length > 0);
  return made.map(({ definition, label, uuid, place, rootHash, splitPath }, index) => ({
    type: partitionTypeName(definition.type),
    label,
    uuid,
    partno: index,
    file: definition.file ?? definition.name,
    node: nodeName(image, index + 1),
    offset: place.offset,
    old_size: 0,
    raw_size: place.size,
    old_padding: 0,
    raw_padding: place.padding,
    activity: 'create',
    ...(hasHash && { roothash: rootHash ?? null }),
    ...(hasDropIns && { 'drop-in_files': definition.dropIns }),
    ...(isSplit && { split_path: splitPath ?? '-' }),
  }));
}

/** The kernel puts a `p` before the number where the name of the disk ends in one. */
function nodeName(image: string, number: number): string {
  return /\d$/.test(image) ? `${image}p${number}` : `${image}${number}`;
}
