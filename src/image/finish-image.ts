/** Fills the ESP of an image that was made without one, when the image that boots it fits the image. */
import { basename } from 'node:path';
import { EspError } from '../error.ts';
import { type Partition, readPartitionTable } from '../gpt/partition-table.ts';
import { parsePartitionType, partitionTypeName } from '../gpt/partition-type.ts';
import { buildTree } from '../tree/build-tree.ts';
import type { Contents } from '../tree/contents.ts';
import type { Tree } from '../tree/tree.ts';
import type { BootProfile } from '../uki/boot-profile.ts';
import { compareRootHashes, describeMismatch } from '../uki/verity-match.ts';
import { devicesOnCmdline } from '../verity/cmdline.ts';
import type { BlockSource } from '../verity/data-pieces.ts';
import { findPair } from '../verity/disk-pair.ts';
import { isRootHash, type RootHash } from '../verity/root-hash.ts';
import { fillFats, isFilledEsp, isFilledXbootldr } from './fill-esp.ts';
import { rangeOf } from './filling.ts';
import { fileSystemUuid } from './identity.ts';
import type { ImageJob } from './image-job.ts';
import { placeOutput } from './output.ts';
import type { PlannedPartition } from './plan-image.ts';
import type { MadePartition } from './repart-rows.ts';
import { espFilling, type RunMeans, signerOf } from './run-job.ts';
import { writeData } from './write-data.ts';

/**
 * Returns the root hashes of an image, each with the file system that it is of. The UUIDs of a data
 * partition and of the one with its hash tree are the halves of a root hash of SHA-256; the tree is
 * looked at, to be sure.
 * @throws {DISK_IMAGE_MALFORMED} when there is no partition table
 */
export async function rootHashesOf(
  image: BlockSource,
  name: string,
  profiles: readonly BootProfile[],
): Promise<readonly RootHash[]> {
  const { partitions } = readPartitionTable(image, name);
  const behind = await rootHashesBehind(image, name, profiles);
  const typed = partitions.map((partition) => ({
    ...partition,
    role: parsePartitionType(partition.type),
  }));
  const found: RootHash[] = [...behind];
  for (const data of typed.filter(({ role }) => role?.content === 'data')) {
    for (const hash of typed.filter(({ role }) => role?.content === 'verity')) {
      if (data.role === undefined || data.role.designator !== hash.role?.designator) continue;
      const hex = `${data.uuid}${hash.uuid}`.replaceAll('-', '');
      const { kind } = await findPair(image, name, hex);
      if (kind !== 'found') continue;
      const { designator, architecture } = data.role;
      found.push({ hex, designator, architecture });
    }
  }
  return found;
}

/**
 * Returns the root hashes of hash areas behind their data: the UUID of the one partition is half of
 * such a hash, and the command line says the rest.
 */
async function rootHashesBehind(
  image: BlockSource,
  name: string,
  profiles: readonly BootProfile[],
): Promise<readonly RootHash[]> {
  const named = profiles.flatMap(({ cmdline = '' }) => devicesOnCmdline(cmdline));
  const found: RootHash[] = [];
  for (const { designator, rootHash, hashOffset } of named) {
    if (hashOffset === undefined || !isRootHash(rootHash)) continue;
    const { kind } = await findPair(image, name, rootHash, { hashOffset });
    if (kind === 'found') found.push({ hex: rootHash, designator });
  }
  return found;
}

/**
 * Refuses an image for booting that names other root hashes than the disk has.
 * @throws {IMAGE_MISMATCH} naming each
 */
export function requireMatch(
  profiles: readonly BootProfile[],
  rootHashes: readonly RootHash[],
  { uki, image }: { readonly uki: string; readonly image: string },
): void {
  const [first, ...others] = compareRootHashes(profiles, rootHashes).map(describeMismatch);
  if (first === undefined) return;
  throw new EspError(
    'IMAGE_MISMATCH',
    `${uki} does not boot ${image}: ${[first, ...others].join('; ')}`,
    {
      hint: 'build it with --verity and what image build --json printed for this very image',
    },
  );
}

/** What boots an image, and where it goes; without a path, where the description says. */
interface GivenUki {
  readonly source: string;
  readonly path?: string | undefined;
}

/** An image to finish. */
export interface Finishing {
  /** Paths; the output may be the image itself. */
  readonly image: string;
  readonly output: string;
  readonly uki: GivenUki;
  readonly job: ImageJob;
  readonly rootHashes: readonly RootHash[];
}

/**
 * Copies an image and fills the ESP of the copy, which then gets the output's name. So it does with an
 * XBOOTLDR partition that was left empty, too. Returns also where the image for booting is.
 * @throws {CONFIG_INVALID} when it has no ESP, or no place for what boots it
 */
export async function finishImage(
  { image, output, uki, job: described, rootHashes }: Finishing,
  means: RunMeans,
): Promise<{ readonly made: readonly MadePartition[]; readonly path: string }> {
  const { disk } = means.context;
  using source = disk.open(image);
  const { partitions, sectorSize } = readPartitionTable(source, image);
  const planned = partitions.map((partition, index) => {
    const contents = contentsFor(partition, partitions.slice(0, index), described, source);
    return existing(partition, contents && buildTree(contents, described.tree, disk));
  });
  requireRoom(planned, described, image);
  const finished = { source: uki.source, ...placeFor(uki, planned, described, image) };
  const job = { ...described, esp: { ...described.esp, ukis: [finished] } };
  const signer = await signerOf(job, means);
  await placeOutput(output, source.size, means.context, async (into) => {
    const whole = { offset: 0, size: source.size, padding: 0 };
    await writeData(rangeOf(source, whole, image), whole, { image: into, wrote: () => undefined });
    await fillFats(
      planned,
      new Map(),
      espFilling(job, { image: into, sectorSize, signer, name: output }, means),
    );
  });
  const made = planned.map(({ definition, label, uuid, place }) => {
    const half = uuid.replaceAll('-', '');
    const own = rootHashes.find(({ hex }) => hex.startsWith(half) || hex.endsWith(half));
    return { definition, label, uuid, place, rootHash: own?.hex };
  });
  return { made, path: finished.path };
}

/**
 * Returns the files of a partition that is filled now: every ESP, and an XBOOTLDR partition that the
 * description has and the build left empty. Undefined for the others.
 */
function contentsFor(
  { type, offset }: Partition,
  before: readonly Partition[],
  { disk }: ImageJob,
  image: BlockSource,
): readonly Contents[] | undefined {
  const name = partitionTypeName(type);
  if (name !== 'esp' && (name !== 'xbootldr' || !isEmpty(image, offset))) return undefined;
  if (disk.kind !== 'partitions') return name === 'esp' ? disk.esp.contents : undefined;
  const number = before.filter((other) => other.type === type).length;
  const described = disk.partitions.filter((other) => other.type === type)[number];
  return described?.contents ?? (name === 'esp' ? [] : undefined);
}

/** In bytes: where a file system for boot loaders begins. */
const BOOT_SECTOR = 512;

function isEmpty(image: BlockSource, offset: number): boolean {
  return image.read(offset, BOOT_SECTOR).every((byte) => byte === 0);
}

/** @throws {CONFIG_INVALID} when there is no ESP, or entries belong where a build has put files already */
function requireRoom(planned: readonly PlannedPartition[], job: ImageJob, image: string): void {
  const isFat = ({ filling }: PlannedPartition) => filling.kind === 'fat';
  if (!planned.filter(isFilledEsp).some(isFat)) {
    throw new EspError(
      'CONFIG_INVALID',
      `${image}: expected an ESP among its partitions, got none`,
    );
  }
  const xbootldr = planned.find(isFilledXbootldr);
  if (xbootldr === undefined || isFat(xbootldr) || job.esp.install === undefined) return;
  throw noRoom(image, '[install] puts its entries');
}

function noRoom(image: string, what: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `${image}: ${what} onto the XBOOTLDR partition, which is filled already or not there`,
    { hint: 'build it with --defer esp --defer xbootldr' },
  );
}

/**
 * Returns where the image for booting goes: where the description has one for a partition that is filled
 * now, else onto the ESP.
 * @throws {CONFIG_INVALID} when the description has several, or none but for a partition that is filled
 */
function placeFor(
  { source, path }: GivenUki,
  planned: readonly PlannedPartition[],
  { esp: { ukis } }: ImageJob,
  image: string,
): { readonly path: string; readonly isOnXbootldr?: boolean | undefined } {
  const hasXbootldr = planned.find(isFilledXbootldr)?.filling.kind === 'fat';
  const [first, ...others] = ukis.filter(
    ({ isOnXbootldr }) => isOnXbootldr !== true || hasXbootldr,
  );
  if (first === undefined && ukis.length > 0) throw noRoom(image, 'its UKI belongs');
  if (others.length > 0) {
    throw new EspError(
      'CONFIG_INVALID',
      `${image}: expected one UKI in the description, got ${[first, ...others].map((uki) => uki?.path).join(', ')}`,
      { hint: 'image finish puts in one: leave the others out, or put them in as contents' },
    );
  }
  return {
    path: path ?? first?.path ?? `/EFI/Linux/${basename(source)}`,
    isOnXbootldr: first?.isOnXbootldr,
  };
}

function existing(partition: Partition, tree: Tree | undefined): PlannedPartition {
  const { type, attributes, number, offset, size, uuid, name: label } = partition;
  const extent = { weight: 0 };
  return {
    definition: {
      ...{ name: `partition ${number}`, dropIns: [], type, contents: [], attributes },
      ...{ size: extent, padding: extent, isMinimal: false, splitName: undefined },
    },
    ...{ label, uuid, isDeferred: false, place: { offset, size, padding: 0 } },
    filling:
      tree === undefined
        ? { kind: 'none', size: 0 }
        : { kind: 'fat', tree, uuid: fileSystemUuid(uuid), size: 0 },
  };
}
