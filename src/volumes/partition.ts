/** What udev knows of the partition that is mounted at a path. Its files are text that others write. */
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { mountAt } from '../esp/mount.ts';
import { UDEV_DATABASE } from '../settings/table.ts';

/** A partition. What udev does not tell is undefined. */
export interface Partition {
  /** `gpt` or `dos`. */
  readonly scheme: string | undefined;
  /** A GUID in a GPT, as `0xef` in an MBR; in lower case. */
  readonly type: string | undefined;
  /** PARTUUID, in lower case. */
  readonly uuid: string | undefined;
  /** The numbers of its disk. */
  readonly disk: string | undefined;
  /** Its number in the table, counted from 1. */
  readonly number: string | undefined;
  /** Where it begins, and its size, in sectors of 512 bytes. */
  readonly offset: string | undefined;
  readonly size: string | undefined;
}

/** What udev says of one device is a file of a few kilobytes. */
const ENTRY_LIMIT = 1024 * 1024;

/** Returns the size of the sectors of a partition's disk, in bytes; undefined where the kernel tells none. */
export function sectorSizeOf(partition: Partition | undefined, host: Disk): number | undefined {
  if (partition === undefined) return undefined;
  const path = `/sys/dev/block/${partition.disk}/queue/logical_block_size`;
  try {
    const size = Number(new TextDecoder().decode(host.read(path, 64)));
    return size % SECTOR === 0 && size > 0 ? size : undefined;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

/** Every size of sectors is a multiple of it. */
const SECTOR = 512;

/** Returns the partition that is mounted at a path, or undefined where udev knows nothing about it. */
export function partitionAt(
  path: string,
  { disk, host }: Pick<Context, 'disk' | 'host'>,
): Partition | undefined {
  const device = mountAt(disk, path)?.device;
  const file = `${UDEV_DATABASE}/b${device}`;
  const stat = device === undefined ? undefined : host.stat(file);
  if (stat?.kind !== 'file' || stat.size > ENTRY_LIMIT) return undefined;
  const text = new TextDecoder().decode(host.read(file, ENTRY_LIMIT));
  const properties = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const found = /^E:([^=]+)=(.*)$/.exec(line);
      return found?.[1] === undefined || found[2] === undefined ? [] : [[found[1], found[2]]];
    }),
  );
  return {
    scheme: properties.get('ID_PART_ENTRY_SCHEME'),
    type: properties.get('ID_PART_ENTRY_TYPE')?.toLowerCase(),
    uuid: properties.get('ID_PART_ENTRY_UUID')?.toLowerCase(),
    disk: properties.get('ID_PART_ENTRY_DISK'),
    number: properties.get('ID_PART_ENTRY_NUMBER'),
    offset: properties.get('ID_PART_ENTRY_OFFSET'),
    size: properties.get('ID_PART_ENTRY_SIZE'),
  };
}
