/** From a description to sizes and places: everything that is known before a byte is written. */
import { EspError } from '../error.ts';
import { allMissing, MissingTool } from '../filesystem/tool.ts';
import type { NewTable } from '../gpt/format-table.ts';
import { formatMbr, hybridPartitions, MBR_TYPES, type Mbr } from '../gpt/mbr.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import type { Guid } from '../guid.ts';
import { formatSize } from '../quantity.ts';
import type { Tree } from '../tree/tree.ts';
import type { PartitionDefinition } from './definition.ts';
import { type Filling, type FillingSettings, fillingOf } from './filling.ts';
import {
  areaBehind,
  requireBlocks,
  superblockBehind,
  superblockFor,
  type TreeChoice,
} from './hash-tree.ts';
import { diskUuid, fileSystemUuid, partitionUuid, type Seed } from './identity.ts';
import {
  FIRST,
  GRAIN,
  type Layout,
  layOut,
  minSize,
  type Place,
  roundUp,
  type Wish,
} from './layout.ts';
import { hashPartitionOf, requireWholeGroups } from './verity-group.ts';
import { hashAreaSize } from './write-data.ts';

/** What an image is made from. */
export interface ImageDescription {
  readonly partitions: readonly PartitionDefinition[];
  readonly seed: Seed;
  /** Of the whole disk, in bytes. */
  readonly size: number | 'auto';
  /** What a disk whose size is `auto` is a multiple of, in bytes; the grain of systemd-repart without it. */
  readonly unit?: number | undefined;
  /** In bytes: 512 or 4096. */
  readonly sectorSize: number;
  /** Of hash trees where a definition says nothing, in bytes. */
  readonly verityBlockSize: number;
  /** Types whose partitions are left empty, for another run to fill. */
  readonly deferred: ReadonlySet<Guid>;
}

/** A partition with its place. */
export interface PlannedPartition {
  readonly definition: PartitionDefinition;
  readonly label: string;
  /** As the seed and its type give it; a root hash may replace it. */
  readonly uuid: Guid;
  readonly filling: Filling;
  readonly isDeferred: boolean;
  readonly place: Place;
}

/** What is written at the ends of the disk. */
export type TableKind =
  | ({ readonly kind: 'gpt' } & Omit<NewTable, 'size' | 'partitions'>)
  /** `core` follows the first sector: what a boot loader reads next. */
  | { readonly kind: 'msdos'; readonly mbr: Mbr; readonly core?: Uint8Array | undefined }
  | { readonly kind: 'none' };

export interface ImagePlan extends TreeChoice {
  /** Of the whole disk, in bytes. */
  readonly size: number;
  /** In the order of their numbers. */
  readonly partitions: readonly PlannedPartition[];
  readonly table: TableKind;
}

/** Everything of a planned partition but its place. */
type Unplaced = Omit<PlannedPartition, 'place'>;

/**
 * Returns where everything will lie. No content is read.
 * @throws {CONFIG_INVALID} when definitions contradict each other
 * @throws {IMAGE_FULL} when the partitions do not fit
 */
export async function planImage(
  description: ImageDescription,
  settings: FillingSettings,
): Promise<ImagePlan> {
  const { partitions: definitions, size, sectorSize, seed, verityBlockSize } = description;
  requireWholeGroups(definitions);
  for (const definition of definitions) requireBounds(definition);
  const labels = labelsOf(definitions);
  const unplaced = await withAllTools(definitions, (definition, index) =>
    unplacedOf(definition, labels[index] ?? '', description, settings),
  );
  const wishes = unplaced.map((each) =>
    wishOf(each.definition, needOf(each, unplaced, description), sectorSize),
  );
  const layout = layOut(wishes, size, sectorSize, description.unit);
  const partitions = inPlace(unplaced, layout);
  const mbr = hybridMbr(partitions, sectorSize);
  const gpt = { kind: 'gpt', sectorSize, uuid: diskUuid(seed), firstUsable: FIRST } as const;
  const table = mbr === undefined ? gpt : { ...gpt, mbr };
  for (const each of partitions) requireBlocks(each, partitions, description, settings.warn);
  return { size: layout.size, partitions, table, seed, verityBlockSize };
}

/** @throws {CONFIG_INVALID} when the least is more than the most */
function requireBounds({ name, size, padding }: PartitionDefinition): void {
  for (const [what, { min = 0, max = min }] of Object.entries({ size, padding })) {
    if (min <= max) continue;
    throw new EspError(
      'CONFIG_INVALID',
      `${name}: ${what}: the least is ${formatSize(min)}, and the most ${formatSize(max)}`,
      { hint: 'make the most larger, or leave it out' },
    );
  }
}

/** Goes on where a program is missing, so that all of them are told at once. */
async function withAllTools(
  definitions: readonly PartitionDefinition[],
  work: (definition: PartitionDefinition, index: number) => Promise<Unplaced>,
): Promise<readonly Unplaced[]> {
  const done: Unplaced[] = [];
  const missing: MissingTool[] = [];
  for (const [index, definition] of definitions.entries()) {
    try {
      done.push(await work(definition, index));
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      missing.push(error);
    }
  }
  const [first, ...others] = missing;
  if (first !== undefined) throw allMissing([first, ...others]);
  return done;
}

async function unplacedOf(
  definition: PartitionDefinition,
  label: string,
  { partitions, seed, deferred }: ImageDescription,
  settings: FillingSettings,
): Promise<Unplaced> {
  const { type } = definition;
  const before = partitions.slice(0, partitions.indexOf(definition));
  const uuid = partitionUuid(seed, type, before.filter((other) => other.type === type).length);
  const isDeferred = deferred.has(type);
  // systemd-repart gives an EROFS no label.
  const own = definition.format === 'erofs' ? '' : label;
  const identity = { uuid: fileSystemUuid(uuid), label: own, spare: 0 };
  const filling: Filling = isDeferred
    ? { kind: 'none', size: 0 }
    : await fillingOf(definition, identity, settings);
  return { definition, label, uuid, filling, isDeferred };
}

function inPlace(unplaced: readonly Unplaced[], { places }: Layout): readonly PlannedPartition[] {
  return unplaced.map((each, index) => ({
    ...each,
    place: places[index] ?? { offset: 0, size: 0, padding: 0 },
  }));
}

/**
 * Returns an MBR with partitions that programs without GPT find too; undefined where none asks for it.
 * @throws {CONFIG_INVALID} when there are more than three, or one is beyond what an MBR can say
 */
function hybridMbr(
  partitions: readonly PlannedPartition[],
  sectorSize: number,
): Partial<Mbr> | undefined {
  const chosen = partitions.filter(({ definition }) => definition.isInMbr === true);
  if (chosen.length === 0) return undefined;
  const own = chosen.map(({ definition, place }) => ({
    type: OF_MBR[partitionTypeName(definition.type)] ?? MBR_TYPES.linux,
    first: place.offset / sectorSize,
    count: place.size / sectorSize,
  }));
  const mbr = { partitions: hybridPartitions(own) };
  formatMbr({ signature: 0, ...mbr });
  return mbr;
}

const OF_MBR: Readonly<Record<string, number>> = { esp: MBR_TYPES.esp, swap: MBR_TYPES.swap };

/** What a signature partition takes in bytes, always. */
const SIGNATURE_SIZE = 16 * 1024;

function needOf(
  { definition, filling }: Unplaced,
  all: readonly Unplaced[],
  description: ImageDescription,
): number {
  const { verity } = definition;
  if (verity?.role === 'signature') return SIGNATURE_SIZE;
  if (verity?.isBehind === true) {
    return (
      areaBehind(filling.size) +
      hashAreaSize(superblockBehind(definition, filling.size, description))
    );
  }
  if (filling.kind === 'fat') return fatNeed(filling.tree, definition.besides ?? 0);
  if (verity?.role !== 'hash') return filling.size;
  const data = all.find((other) => hashPartitionOf(other.definition, [definition]) !== undefined);
  if (data === undefined) return 0;
  const wish = wishOf(data.definition, data.filling.size, description.sectorSize);
  const covered = { content: data.filling.size, partition: minSize(wish) };
  return hashAreaSize(superblockFor(definition, covered, description));
}

/** Clusters of the largest size that an ESP has, in bytes. */
const CLUSTER = 4096;

/** Returns how large a FAT is that holds a tree and more, generously. */
function fatNeed(tree: Tree, besides: number): number {
  const content = tree
    .values()
    .reduce((sum, { size }) => sum + roundUp(size, CLUSTER) + CLUSTER, besides);
  // The two tables take a thousandth of it each, and names of directories that grow a little more.
  return content + Math.ceil(content / 100) + MIB;
}

const MIB = 1024 * 1024;
/** What a partition gets of which nobody says how large it is. */
const USUAL_MIN = 10 * MIB;
/** File systems that cannot be smaller. */
const SMALLEST: Readonly<Record<string, number>> = {
  ext4: 32 * MIB,
  btrfs: 256 * MIB,
  xfs: 300 * MIB,
};
const READ_ONLY: readonly (string | undefined)[] = ['erofs', 'squashfs'];

function wishOf(definition: PartitionDefinition, need: number, sectorSize: number): Wish {
  const { name, format, verity, size, padding } = definition;
  const isExact = verity !== undefined || READ_ONLY.includes(format);
  const usual = isExact ? GRAIN : (loaderPartitionMin(definition, sectorSize) ?? USUAL_MIN);
  const min = Math.max(size.min ?? usual, SMALLEST[format ?? ''] ?? 0);
  const max = verity?.role === 'signature' ? SIGNATURE_SIZE : size.max;
  return { name, need, size: { ...size, min, max }, padding };
}

/** Firmware takes no FAT32 of fewer clusters; systemd-repart 258 and later make them this large too. */
function loaderPartitionMin({ type }: PartitionDefinition, sectorSize: number): number | undefined {
  if (!['esp', 'xbootldr'].includes(partitionTypeName(type))) return undefined;
  return sectorSize > 512 ? 260 * MIB : 100 * MIB;
}

/** Returns each label; one that nobody gave is the name of the type, with a number where it is taken. */
function labelsOf(definitions: readonly PartitionDefinition[]): readonly string[] {
  const taken = new Set<string>();
  return definitions.map(({ type, label, name }) => {
    const wanted = label ?? partitionTypeName(type);
    if (wanted.length > 36) {
      throw new EspError(
        'CONFIG_INVALID',
        `${name}: label ${JSON.stringify(wanted)} has more than 36 characters`,
      );
    }
    let chosen = wanted;
    for (let count = 2; label === undefined && taken.has(chosen); count++)
      chosen = `${wanted}-${count}`;
    taken.add(chosen);
    return chosen;
  });
}
