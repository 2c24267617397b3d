/** From the parameters of make-disk-image.nix to sizes and places. */

import { EspError } from '../error.ts';
import { partitionTypeGuid } from '../gpt/partition-type.ts';
import type { Guid } from '../guid.ts';
import { exactSize } from '../quantity.ts';
import type { Tree } from '../tree/tree.ts';
import { type BiosLoader, placeBiosLoader } from './bios.ts';
import type { PartitionDefinition } from './definition.ts';
import { type Filling, type FillingSettings, fillingOf } from './filling.ts';
import { asGuid, diskUuid, fileSystemUuid, type Seed } from './identity.ts';
import {
  MSDOS_GEOMETRY,
  type NixpkgsLayout,
  type NixpkgsParameters,
  nixpkgsDiskSize,
  nixpkgsLayout,
  nixpkgsRootSize,
  type Region,
} from './nixpkgs-table.ts';
import type { ImagePlan, PlannedPartition, TableKind } from './plan-image.ts';

/** What such an image is made from. Sizes in bytes. */
export interface NixpkgsDescription extends NixpkgsParameters {
  readonly seed: Seed;
  readonly size: number | 'auto';
  /** What is free on a root whose size is `auto`. */
  readonly additionalSpace: number;
  /** Format, contents and label of the root file system; the rest follows from the table. */
  readonly root: Pick<PartitionDefinition, 'format' | 'contents' | 'label'>;
  /** `rootFSUID`. */
  readonly rootFileSystem: Guid;
  /** Files for the ESP. */
  readonly esp: Pick<PartitionDefinition, 'contents'>;
  readonly bios?: BiosLoader | undefined;
  /** Types whose partitions are left empty, for another run to fill. */
  readonly deferred: ReadonlySet<Guid>;
}

const MIB = 1024 * 1024;
const SECTOR = 512;

/**
 * Returns where everything will lie. Throws as {@link fillingOf} does.
 * @throws {IMAGE_FULL} when the root does not fit
 */
export async function planNixpkgs(
  description: NixpkgsDescription,
  settings: FillingSettings,
): Promise<ImagePlan> {
  const definition = plain('root', description.root);
  const { additionalSpace: spare, rootFileSystem: uuid, seed } = description;
  const label = description.root.label ?? 'nixos';
  const filling = await fillingOf(definition, { uuid, label, spare }, settings);
  const size = diskSize(description, filling);
  const layout = nixpkgsLayout(description, size);
  if (description.table.startsWith('legacy') && description.bios === undefined) {
    settings.warn('nothing on this disk starts under a BIOS: bring a boot loader with [bios]');
  }
  if (filling.size > layout.root.size) throw tooLarge(filling.size, layout.root.size);
  const partitions = await partitionsOf(description, layout, { definition, filling }, settings);
  const table = tableOf(layout, description);
  return { size, partitions, table, seed, verityBlockSize: 4096 };
}

/** The larger of what make-disk-image computes and what the file system takes. */
function diskSize(description: NixpkgsDescription, filling: Filling): number {
  if (description.size !== 'auto') return description.size;
  const used = filling.kind === 'made' ? usage(filling.request.tree) : NOTHING;
  const computed = nixpkgsDiskSize(description, used, description.additionalSpace);
  const missing = Math.max(0, filling.size - nixpkgsRootSize(description, computed));
  return Math.ceil((computed + missing) / MIB) * MIB;
}

/** What files take. */
interface Usage {
  readonly blocks: number;
  readonly inodes: number;
}

const NOTHING: Usage = { blocks: 0, inodes: 0 };

function usage(tree: Tree): Usage {
  const blocks = tree.values().reduce((sum, { size }) => sum + Math.ceil(size / 4096), 0);
  return { blocks, inodes: tree.length };
}

interface Root {
  readonly definition: PartitionDefinition;
  readonly filling: Filling;
}

async function partitionsOf(
  description: NixpkgsDescription,
  layout: NixpkgsLayout,
  root: Root,
  settings: FillingSettings,
): Promise<readonly PlannedPartition[]> {
  if (layout.gpt === undefined) {
    const whole = { label: '', uuid: description.rootFileSystem, isDeferred: false };
    return [{ ...root, ...whole, place: { ...layout.root, padding: 0 } }];
  }
  const planned: PlannedPartition[] = [];
  for (const { type, uuid, name: label, offset, size } of layout.gpt.partitions) {
    const place = { offset, size, padding: 0 };
    const isDeferred = description.deferred.has(type);
    const own = isDeferred ? EMPTY : await contentOf(place, description, layout, root, settings);
    const definition = { ...own.definition, type, uuid };
    planned.push({ definition, filling: own.filling, label, uuid, isDeferred, place });
  }
  return planned;
}

async function contentOf(
  { offset, size }: Region,
  description: NixpkgsDescription,
  layout: NixpkgsLayout,
  root: Root,
  settings: FillingSettings,
): Promise<Root> {
  if (offset === layout.root.offset) return root;
  if (offset === layout.esp?.offset) {
    const definition = { ...plain('ESP', description.esp), format: 'vfat' };
    const uuid = fileSystemUuid(diskUuid(description.seed));
    return {
      definition,
      filling: await fillingOf(definition, { uuid, label: 'ESP', spare: 0 }, settings),
    };
  }
  const definition = plain('no-fs', { contents: [] });
  return { definition, filling: coreIn(description, offset, size) };
}

function coreIn({ bios }: NixpkgsDescription, at: number, room: number): Filling {
  if (bios === undefined) return { kind: 'none', size: 0 };
  const { core } = placeBiosLoader(bios, at, room);
  return { kind: 'bytes', bytes: core, size: core.length };
}

function tableOf(
  { gpt, msdos, biosBoot }: NixpkgsLayout,
  { bios, seed }: NixpkgsDescription,
): TableKind {
  // On a disk of MS-DOS the core lies between the first sector and the first partition.
  const at = biosBoot ?? { offset: SECTOR, size: MIB - SECTOR };
  const placed = bios && placeBiosLoader(bios, at.offset, at.size);
  const bootCode = placed?.bootCode;
  if (gpt !== undefined) return { kind: 'gpt', ...gpt, mbr: { bootCode } };
  if (msdos === undefined) return { kind: 'none' };
  const signature = Number.parseInt(diskUuid(seed).slice(0, 8), 16);
  const mbr = { partitions: [msdos], signature, bootCode, geometry: MSDOS_GEOMETRY };
  return { kind: 'msdos', mbr, core: placed?.core };
}

const LINUX = partitionTypeGuid('linux-generic', '') ?? asGuid('linux-generic');

function plain(
  name: string,
  given: Partial<PartitionDefinition> & Pick<PartitionDefinition, 'contents'>,
): PartitionDefinition {
  const extent = { weight: 0 };
  return {
    ...{ name, dropIns: [], type: LINUX, size: extent, padding: extent, isMinimal: false },
    ...{ attributes: 0n, splitName: undefined },
    ...given,
  };
}

/** A partition that somebody else fills. */
const EMPTY: Root = {
  definition: plain('deferred', { contents: [] }),
  filling: { kind: 'none', size: 0 },
};

function tooLarge(needed: number, room: number): EspError {
  return new EspError(
    'IMAGE_FULL',
    `the root file system needs ${exactSize(needed)}, got ${exactSize(room)}`,
    {
      hint: `give a disk that is ${Math.ceil((needed - room) / MIB)} MiB larger, or auto`,
    },
  );
}
