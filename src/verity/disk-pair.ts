/**
 * Finds the partitions that a root hash identifies, on a disk or its image, and checks that they
 * fit.
 */

import { hexToBytes } from '@noble/hashes/utils.js';
import { EspError } from '../error.ts';
import { type Partition, readPartitionTable } from '../gpt/partition-table.ts';
import { checkAll, checkTop } from './check.ts';
import type { Labour } from './data-digests.ts';
import type { BlockSource } from './data-pieces.ts';
import type { Finding } from './finding.ts';
import { partitionUuids } from './root-hash.ts';
import { readSuperblock, type Superblock } from './superblock.ts';

/** The result for a root hash. Offsets in a finding count from the start of a partition. */
export type PairOnDisk =
  | { readonly kind: 'absent'; readonly missing: readonly MissingPartition[] }
  | { readonly kind: 'found'; readonly data: Partition; hash: Partition; superblock: Superblock }
  | { readonly kind: 'different'; readonly data: Partition; hash: Partition; finding: PairFinding };

/** A missing partition, and the UUID that it would have. */
export interface MissingPartition {
  readonly content: 'data' | 'hash';
  readonly uuid: string;
}

/** The result of a check. `superblock`: the hash area has no readable one. */
export type PairFinding = Finding | { readonly kind: 'superblock'; readonly because: string };

/** A finding, and the superblock if it was readable. */
export interface Judgement {
  readonly finding: PairFinding;
  readonly superblock?: Superblock;
}

/** How closely to look. */
export interface Look {
  /** Offset of the hash area, when it lies behind the data in the same partition. In bytes. */
  readonly hashOffset?: number;
  /** Reads everything, instead of the top of the tree alone. */
  readonly deep?: Labour;
}

/**
 * Finds the pair of a root hash among the partitions of a disk. The hash alone determines the
 * partitions, as for systemd-veritysetup-generator(8).
 * @throws {DISK_IMAGE_MALFORMED} when the disk has no partition table
 */
export async function findPair(
  disk: BlockSource,
  name: string,
  rootHash: string,
  look: Look = {},
): Promise<PairOnDisk> {
  const { partitions } = readPartitionTable(disk, name);
  const uuids = partitionUuids(rootHash);
  const withUuid = (uuid: string) => partitions.find((partition) => partition.uuid === uuid);
  const isOne = look.hashOffset !== undefined;
  const data = withUuid(uuids.data);
  const hash = isOne ? data : withUuid(uuids.hash);
  if (data === undefined || hash === undefined) {
    const missing: MissingPartition[] = [];
    if (data === undefined) missing.push({ content: 'data', uuid: uuids.data });
    if (hash === undefined && !isOne) missing.push({ content: 'hash', uuid: uuids.hash });
    return { kind: 'absent', missing };
  }
  const sources = { data: partOf(disk, data), hash: partOf(disk, hash) };
  const called = `${name} partition ${hash.number}`;
  const { finding, superblock } = await judgePair(sources, called, rootHash, look);
  return superblock && finding.kind === 'intact'
    ? { kind: 'found', data, hash, superblock }
    : { kind: 'different', data, hash, finding };
}

/** Judges data and hash area by a root hash. `name` is the hash area's name in errors. */
export async function judgePair(
  { data, hash }: { readonly data: BlockSource; readonly hash: BlockSource },
  name: string,
  rootHash: string,
  { hashOffset = 0, deep }: Look = {},
): Promise<Judgement> {
  const superblock = superblockIn(hash, hashOffset, name);
  if (typeof superblock === 'string') {
    return { finding: { kind: 'superblock', because: superblock } };
  }
  const pair = { data, hash, parameters: superblock, offset: hashOffset };
  const expected = hexToBytes(rootHash);
  const finding = deep ? await checkAll(pair, expected, deep) : checkTop(pair, expected);
  return { superblock, finding };
}

function superblockIn(hash: BlockSource, offset: number, name: string): Superblock | string {
  try {
    return readSuperblock(hash, offset, name);
  } catch (error) {
    if (error instanceof EspError && error.code === 'VERITY_MALFORMED') return error.message;
    throw error;
  }
}

/** Returns a range of a source, such as a partition of a disk, as a source. */
export function partOf(
  source: BlockSource,
  { offset, size }: Pick<Partition, 'offset' | 'size'>,
): BlockSource {
  const within = (at: number, length: number) => Math.max(0, Math.min(length, size - at));
  return {
    size,
    read: (at, length) => source.read(offset + at, within(at, length)),
    readInto: (at, memory) =>
      source.readInto(offset + at, memory.subarray(0, within(at, memory.length))),
  };
}
