/** The hash trees of an image: which blocks they cover, and where they lie behind data. */
import { EspError } from '../error.ts';
import { saltFrom, superblockUuidFrom } from '../verity/seed.ts';
import type { Superblock } from '../verity/superblock.ts';
import type { PartitionDefinition } from './definition.ts';
import type { Seed } from './identity.ts';
import { roundUp } from './layout.ts';
import { hashPartitionOf } from './verity-group.ts';

/** What hash trees have in common. */
export interface TreeChoice {
  readonly seed: Seed;
  /** Of hash trees where a definition says nothing, in bytes. */
  readonly verityBlockSize: number;
}

/** A partition, the size of what it holds, and its own. */
interface Sized {
  readonly definition: PartitionDefinition;
  readonly filling: { readonly size: number };
  readonly place: { readonly size: number };
}

/** Data that a hash tree covers: the size of the content and of its partition, in bytes. */
interface Covered {
  readonly content: number;
  readonly partition: number;
}

/**
 * Returns the superblock of the hash area over data. It covers the whole partition; where the hash
 * partition is to be as small as can be, the content alone, as systemd-repart does it.
 */
export function superblockFor(
  hash: PartitionDefinition,
  { content, partition }: Covered,
  { seed, verityBlockSize }: TreeChoice,
): Superblock {
  const { dataBlockSize = verityBlockSize, hashBlockSize = verityBlockSize } = hash.verity ?? {};
  const covered = hash.isMinimal ? Math.max(1, content) : partition;
  return {
    algorithm: 'sha256',
    dataBlockSize,
    hashBlockSize,
    dataBlocks: hash.verity?.dataBlocks ?? Math.ceil(covered / dataBlockSize),
    salt: saltFrom(seed),
    uuid: superblockUuidFrom(seed),
  };
}

/**
 * Refuses a number of blocks that are not there. A device shows no more than is covered, so one that
 * ends within a file system is told.
 */
export function requireBlocks(
  { definition, filling, place }: Sized,
  all: readonly Sized[],
  { verityBlockSize }: TreeChoice,
  warn: (warning: string) => void,
): void {
  const definitions = all.map((each) => each.definition);
  const isBehind = definition.verity?.isBehind === true;
  const { verity, name } = (isBehind ? definition : hashPartitionOf(definition, definitions)) ?? {};
  const { dataBlocks, dataBlockSize = verityBlockSize } = verity ?? {};
  if (dataBlocks === undefined) return;
  const most = Math.floor((isBehind ? areaBehind(filling.size) : place.size) / dataBlockSize);
  if (dataBlocks > most) {
    throw new EspError(
      'CONFIG_INVALID',
      `${name}: expected at most ${most} data blocks, got ${dataBlocks}`,
    );
  }
  const needed = Math.ceil(filling.size / dataBlockSize);
  if (dataBlocks >= needed) return;
  warn(
    `${definition.name}: ${dataBlocks} blocks are covered, and it has ${needed}: what is behind them is on no device, and a file system does not mount without its end`,
  );
}

/** Returns where the hash area behind data begins in their partition, in bytes. */
export function areaBehind(content: number): number {
  return roundUp(Math.max(1, content));
}

/** Returns the superblock of the hash area behind so many bytes of data. */
export function superblockBehind(
  data: PartitionDefinition,
  content: number,
  choice: TreeChoice,
): Superblock {
  return superblockFor({ ...data, isMinimal: true }, { content, partition: content }, choice);
}
