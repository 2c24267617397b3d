/** Makes a disk image: writes partitions in the order in which they depend on each other, then the table. */

import { bytesToHex } from '@noble/hashes/utils.js';
import type { Progress } from '../context.ts';
import type { Workshop } from '../filesystem/request.ts';
import { formatPartitionTable } from '../gpt/format-table.ts';
import { formatMbr, MBR_SIZE } from '../gpt/mbr.ts';
import type { Guid } from '../guid.ts';
import type { RawFile } from '../process/machine.ts';
import { partitionUuids } from '../verity/root-hash.ts';
import { formatSignatureDocument, type SignatureDocument } from '../verity/signature-document.ts';
import type { Superblock } from '../verity/superblock.ts';
import type { PartitionDefinition } from './definition.ts';
import { type Filling, piecesOf, rangeOf } from './filling.ts';
import { asGuid } from './identity.ts';
import type { Place } from './layout.ts';
import {
  areaBehind,
  type ImagePlan,
  type PlannedPartition,
  superblockBehind,
  superblockFor,
} from './plan-image.ts';
import type { MadePartition } from './repart-rows.ts';
import { groupOf, hashPartitionOf } from './verity-group.ts';
import { writeData, writeHashArea, written } from './write-data.ts';

/** Root hashes in hexadecimal, by the name of their group. */
export type RootHashes = ReadonlyMap<string, string>;

/** What the making of an image is given. */
export interface Making {
  /** The image, a new file that has its size already. */
  readonly image: RawFile;
  /** Where the image lies meanwhile. */
  readonly path: string;
  readonly workshop: Workshop;
  readonly progress?: Progress | undefined;
  /** Signs a root hash; undefined where there is no key. */
  readonly sign?: ((rootHash: string) => SignatureDocument) | undefined;
  /** Fills what depends on root hashes: the ESP. */
  readonly fillLast: (
    partitions: readonly PlannedPartition[],
    rootHashes: RootHashes,
  ) => Promise<void>;
}

/** Writes everything of a planned image. The caller makes it durable and gives it its name. */
export async function makeImage(
  plan: ImagePlan,
  making: Making,
): Promise<readonly MadePartition[]> {
  const rootHashes = new Map<string, string>();
  for (const partition of plan.partitions) {
    const hash = await writePartition(partition, plan, making);
    const group = groupOf(partition.definition);
    if (hash !== undefined && group !== undefined) rootHashes.set(group, bytesToHex(hash));
  }
  for (const partition of plan.partitions) writeSignature(partition, rootHashes, making);
  await making.fillLast(plan.partitions, rootHashes);
  const made = plan.partitions.map((partition) => madeOf(partition, rootHashes));
  writeTable(plan, made, making.image);
  return made;
}

/** Returns the root hash of data that have a hash tree. */
async function writePartition(
  { definition, filling, place, label }: PlannedPartition,
  plan: ImagePlan,
  making: Making,
): Promise<Uint8Array | undefined> {
  const { image, progress } = making;
  progress?.begin(`writing ${label}`, { bytes: filling.size });
  const writing = { image, wrote: (bytes: number) => progress?.advance(bytes) };
  const area = hashAreaOf({ definition, filling, place }, plan);
  if (filling.kind === 'made') {
    await makeInPlace(filling, place, making);
  }
  if (area === undefined) {
    await writeData(piecesOf(filling, making.workshop.disk), place, writing);
    return undefined;
  }
  const data =
    filling.kind === 'made'
      ? rangeOf(making.image, { ...place, size: area.covered }, definition.name)
      : written(piecesOf(filling, making.workshop.disk), place.offset, writing);
  return writeHashArea(data, area.place, area.superblock, making.image);
}

/** Where the hash area of data goes, and how many bytes of their partition it covers. */
interface PlannedArea {
  readonly place: Place;
  readonly superblock: Superblock;
  readonly covered: number;
}

/** Returns undefined for what no hash tree protects. */
function hashAreaOf(
  { definition, filling, place }: Pick<PlannedPartition, 'definition' | 'filling' | 'place'>,
  plan: ImagePlan,
): PlannedArea | undefined {
  const content = filling.size;
  if (definition.verity?.isBehind === true) {
    const begin = areaBehind(content);
    return {
      place: { offset: place.offset + begin, size: place.size - begin, padding: 0 },
      superblock: superblockBehind(definition, content, plan),
      covered: content,
    };
  }
  const found = hashPartitionOf(
    definition,
    plan.partitions.map((each) => each.definition),
  );
  const hash = plan.partitions.find((each) => each.definition === found);
  if (hash === undefined) return undefined;
  const superblock = superblockFor(hash.definition, { content, partition: place.size }, plan);
  const covered = Math.min(place.size, superblock.dataBlocks * superblock.dataBlockSize);
  return { place: hash.place, superblock, covered };
}

async function makeInPlace(
  { maker, request }: Extract<Filling, { kind: 'made' }>,
  { offset, size }: Place,
  { image, path, workshop }: Making,
): Promise<void> {
  await maker.make(request, { path, file: image, offset, size }, workshop);
}

function writeSignature(
  { definition, place }: PlannedPartition,
  rootHashes: RootHashes,
  { image, sign }: Making,
): void {
  if (definition.verity?.role !== 'signature') return;
  const rootHash = rootHashes.get(definition.verity.group);
  if (rootHash === undefined || sign === undefined)
    throw new Error(`${definition.name}: no signature`);
  image.writeAt(place.offset, formatSignatureDocument(sign(rootHash)));
}

function madeOf(
  { definition, label, uuid, place }: PlannedPartition,
  rootHashes: RootHashes,
): MadePartition {
  const rootHash = rootHashes.get(groupOf(definition) ?? '');
  return { definition, label, place, rootHash, uuid: finalUuid(definition, uuid, rootHash) };
}

/** A definition's own UUID counts most, then the half of the root hash that systems look for. */
export function finalUuid(
  { uuid: own, verity }: PartitionDefinition,
  derived: Guid,
  rootHash: string | undefined,
): Guid {
  if (own !== undefined) return own;
  if (rootHash === undefined || verity === undefined || verity.role === 'signature') return derived;
  return asGuid(partitionUuids(rootHash)[verity.role]);
}

function writeTable(
  { size, table }: ImagePlan,
  made: readonly MadePartition[],
  image: RawFile,
): void {
  if (table.kind === 'none') return;
  if (table.kind === 'msdos') {
    if (table.core !== undefined) image.writeAt(MBR_SIZE, table.core);
    image.writeAt(0, formatMbr(table.mbr));
    return;
  }
  const partitions = made.map(({ definition, label, uuid, place }, index) => ({
    ...{ number: index + 1, type: definition.type, uuid: asGuid(uuid), name: label },
    ...{ attributes: definition.attributes, offset: place.offset, size: place.size },
  }));
  for (const { offset, bytes } of formatPartitionTable({ ...table, size, partitions })) {
    image.writeAt(offset, bytes);
  }
}
