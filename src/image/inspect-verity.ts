/** Which partitions of a disk protect each other by hash trees, and whether they fit. */
import type { Progress } from '../context.ts';
import type { Partition } from '../gpt/partition-table.ts';
import { type Designator, type PartitionType, parsePartitionType } from '../gpt/partition-type.ts';
import type { BlockSource } from '../verity/data-pieces.ts';
import { judgePair, type PairFinding, partOf } from '../verity/disk-pair.ts';
import { describeFinding } from '../verity/finding.ts';

/** A partition with a hash tree, and the data that it is of. */
export interface InspectedPair {
  readonly designator: Designator;
  readonly architecture: string;
  /** Numbers of the partitions. */
  readonly hash: number;
  readonly data: number | undefined;
  /** In hexadecimal; undefined when no data partition belongs to the tree. */
  readonly rootHash: string | undefined;
  /** Whether every block was read. */
  readonly isDeep: boolean;
  /** What is wrong. */
  readonly problem: string | undefined;
}

/** How an image is looked at. */
interface Looking {
  readonly name: string;
  readonly isDeep: boolean;
  readonly progress?: Progress | undefined;
}

interface Typed extends Partition {
  readonly role: PartitionType;
}

/**
 * Judges every hash tree of a disk. The UUIDs of data and tree are the halves of the root hash, so
 * they tell which belong together; the top of the tree is looked at, or with `isDeep` every block.
 */
export async function inspectPairs(
  disk: BlockSource,
  partitions: readonly Partition[],
  looking: Looking,
): Promise<readonly InspectedPair[]> {
  const typed: Typed[] = partitions.flatMap((partition) => {
    const role = parsePartitionType(partition.type);
    return role === undefined ? [] : [{ ...partition, role }];
  });
  const pairs: InspectedPair[] = [];
  for (const hash of typed.filter(({ role }) => role.content === 'verity')) {
    const candidates = typed.filter(({ role }) => isDataOf(role, hash.role));
    pairs.push(await inspectOne(disk, hash, candidates, looking));
  }
  return pairs;
}

function isDataOf(role: PartitionType, tree: PartitionType): boolean {
  return (
    role.content === 'data' &&
    role.designator === tree.designator &&
    role.architecture === tree.architecture
  );
}

async function inspectOne(
  disk: BlockSource,
  hash: Typed,
  candidates: readonly Typed[],
  { name, isDeep, progress }: Looking,
): Promise<InspectedPair> {
  const { designator, architecture } = hash.role;
  const common = { designator, architecture, hash: hash.number, isDeep };
  for (const data of candidates) {
    const rootHash = `${data.uuid}${hash.uuid}`.replaceAll('-', '');
    const sources = { data: partOf(disk, data), hash: partOf(disk, hash) };
    const called = `${name} partition ${hash.number}`;
    const { finding: top } = await judgePair(sources, called, rootHash);
    if (top.kind !== 'intact') continue;
    if (isDeep) progress?.begin(`checking ${called}`, { bytes: data.size });
    const deep = { name, ...(progress && { onHashed: progress.advance }) };
    const { finding } = isDeep
      ? await judgePair(sources, called, rootHash, { deep })
      : { finding: top };
    return { ...common, data: data.number, rootHash, problem: problemOf(finding, data, hash) };
  }
  const problem =
    candidates.length === 0
      ? `there is no ${designator} partition for it`
      : 'it is the tree of none of the data partitions: UUIDs or bytes are others than its root hash says';
  return { ...common, data: undefined, rootHash: undefined, problem };
}

function problemOf(finding: PairFinding, data: Typed, hash: Typed): string | undefined {
  if (finding.kind === 'intact') return undefined;
  if (finding.kind === 'superblock') return finding.because;
  return describeFinding(finding, `partition ${data.number}`, `partition ${hash.number}`);
}
