/** What comes into a partition, and how much of it that is, before a byte is written. */
import type { Disk } from '../disk/disk.ts';
import { makeSized, openRaw } from '../disk/raw-file.ts';
import { erofsImage } from '../erofs/image.ts';
import { type Layout as ErofsLayout, layOut as layOutErofs } from '../erofs/layout.ts';
import { EspError } from '../error.ts';
import { makerOf } from '../filesystem/file-systems.ts';
import { withNixDatabases } from '../filesystem/nix-database.ts';
import type { Maker, Request, Workshop } from '../filesystem/request.ts';
import { xattrReader } from '../filesystem/xattr-source.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import type { Guid } from '../guid.ts';
import { buildTree } from '../tree/build-tree.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { TreeSettings } from '../tree/contents.ts';
import type { Tree } from '../tree/tree.ts';
import { parseUuid } from '../verity/uuid.ts';
import type { PartitionDefinition } from './definition.ts';

/** Sizes in bytes. */
export type Filling =
  /** Zeros, until somebody else fills it. */
  | { readonly kind: 'none'; readonly size: 0 }
  /** The bytes of a file. */
  | { readonly kind: 'blocks'; readonly path: string; readonly size: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly size: number }
  /** An EROFS that we write ourselves. */
  | {
      readonly kind: 'erofs';
      readonly layout: ErofsLayout;
      readonly uuid: Guid;
      readonly label: string;
      readonly time: number;
      readonly size: number;
    }
  /** A file system that its own program makes, where it belongs in the image. */
  | {
      readonly kind: 'made';
      readonly maker: Maker;
      readonly request: Request;
      readonly size: number;
    }
  /** A FAT, whose files are put in when everything else is there. */
  | { readonly kind: 'fat'; readonly tree: Tree; readonly uuid: Guid; readonly size: number };

/** What the fillings of an image have in common. */
export interface FillingSettings {
  readonly tree: TreeSettings;
  /** The time of file systems, in seconds since the epoch. */
  readonly time: number;
  readonly workshop: Workshop;
  /** Throws for a source that no root hash may vouch for; undefined where none will be signed. */
  readonly requireTrusted?: ((path: string) => void) | undefined;
  /** Hears why two runs do not give the same bytes, where they do not. */
  readonly warn: (warning: string) => void;
}

/** How a file system calls itself. */
export interface FileSystemIdentity {
  readonly uuid: Guid;
  readonly label: string;
  /** Bytes to leave free. */
  readonly spare: number;
}

/** EROFS has blocks of so many bytes. */
const EROFS_BLOCK = 4096;
/** What is read of a file at once, in bytes. */
const PIECE = 256 * 1024;

/**
 * Returns what comes into a partition. A file system whose size nobody but its program knows is made
 * beside the image.
 * @throws {CONFIG_INVALID} when nothing here makes this file system
 * @throws {FILE_MISSING} when a source is not there
 * @throws {SOURCE_UNTRUSTED} when data that a hash tree protects lie on FAT
 * @throws {TOOL_MISSING} {TOOL_FAILED}
 */
export async function fillingOf(
  definition: PartitionDefinition,
  identity: FileSystemIdentity,
  settings: FillingSettings,
): Promise<Filling> {
  const { contents, copyBlocks, compression, verity } = definition;
  const format = definition.format ?? usualFormat(definition);
  const { workshop, tree: treeSettings, time } = settings;
  const requireTrusted = verity?.role === 'data' ? settings.requireTrusted : undefined;
  if (copyBlocks !== undefined) {
    const blocks = blocksOf(copyBlocks, definition, workshop.disk);
    requireTrusted?.(copyBlocks);
    return blocks;
  }
  if (format === undefined) return { kind: 'none', size: 0 };
  const { uuid } = identity;
  const all = await withNixDatabases(contents, time, workshop);
  const reading = { readXattrs: xattrReader(workshop), requireTrusted };
  const tree = buildTree(all, treeSettings, workshop.disk, reading);
  if (format === 'vfat') return { kind: 'fat', tree, uuid, size: 0 };
  if (format === 'erofs' && compression === undefined) {
    const layout = layOutErofs(tree);
    const { label } = identity;
    return { kind: 'erofs', layout, uuid, label, time, size: layout.blocks * EROFS_BLOCK };
  }
  return madeFilling({ ...definition, format }, tree, identity, settings);
}

/** What systemd-repart makes where there are files to copy and nobody says to what (repart.d(5) `Format=`). */
function usualFormat({ type, contents }: PartitionDefinition): string | undefined {
  const name = partitionTypeName(type);
  if (name === 'swap') return 'swap';
  if (contents.length === 0) return undefined;
  return ['esp', 'xbootldr'].includes(name) ? 'vfat' : 'ext4';
}

async function madeFilling(
  { format = '', name, compression, compressionLevel }: PartitionDefinition,
  tree: Tree,
  { uuid, label, spare }: FileSystemIdentity,
  { time, workshop, warn }: FillingSettings,
): Promise<Filling> {
  const maker = makerOf(format);
  const request = {
    ...{ tree, label, uuid, hashSeed: uuid, time, spare },
    ...(compression !== undefined && {
      compression: { algorithm: compression, level: compressionLevel },
    }),
  };
  const plan = maker.plan(request, workshop);
  if (plan.unsteady !== undefined) warn(`${name}: not the same bytes every time: ${plan.unsteady}`);
  if (plan.size !== undefined && plan.place === 'in-place') {
    return { kind: 'made', maker, request, size: plan.size };
  }
  return makeBeside(maker, request, plan.size, workshop);
}

async function makeBeside(
  maker: Maker,
  request: Request,
  size: number | undefined,
  workshop: Workshop,
): Promise<Filling> {
  const path = `${workshop.scratch}/${request.uuid}`;
  const { disk, machine } = workshop;
  makeSized(path, size ?? 0, { disk, machine });
  using file = openRaw(path, 'write', { disk, machine });
  const region = { path, file, offset: 0, size };
  return {
    kind: 'blocks',
    path,
    size: await maker.make(request, region, workshop),
  };
}

function blocksOf(
  path: string,
  { name, format, contents }: PartitionDefinition,
  disk: Disk,
): Filling {
  if (format !== undefined || contents.length > 0) {
    throw new EspError(
      'CONFIG_INVALID',
      `${name}: bytes and files to copy, and it can have one of them`,
    );
  }
  const stat = disk.stat(path);
  if (stat?.kind === 'file') return { kind: 'blocks', path, size: stat.size };
  throw new EspError('FILE_MISSING', `${name}: ${path} is no file`);
}

/**
 * Yields the bytes of a filling in their order; a piece is valid until the next one. What comes in by
 * its own program, or by name, has none.
 * @throws {SOURCE_CHANGED} when a source is not what it was
 */
export function* piecesOf(filling: Filling, disk: Disk): Generator<Uint8Array> {
  if (filling.kind === 'blocks') {
    using file = disk.open(filling.path);
    yield* rangeOf(file, { offset: 0, size: filling.size }, filling.path);
  } else if (filling.kind === 'bytes') {
    yield filling.bytes;
  } else if (filling.kind === 'erofs') {
    using reader = new ContentReader(disk);
    const { layout, label, time } = filling;
    const identity = { uuid: parseUuid(filling.uuid) ?? new Uint8Array(), label, time };
    yield* erofsImage(layout, identity, (node, offset, memory) =>
      reader.readInto(node, offset, memory),
    );
  }
}

/** Yields a range of a file in pieces. @throws {SOURCE_CHANGED} when it ends early */
export function* rangeOf(
  file: { readInto(offset: number, memory: Uint8Array): Uint8Array },
  { offset, size }: { readonly offset: number; readonly size: number },
  name: string,
): Generator<Uint8Array> {
  const memory = new Uint8Array(PIECE);
  for (let at = 0; at < size; at += PIECE) {
    const wanted = Math.min(PIECE, size - at);
    const piece = file.readInto(offset + at, memory.subarray(0, wanted));
    if (piece.length < wanted) {
      throw new EspError(
        'SOURCE_CHANGED',
        `${name}: expected ${size} bytes, got ${at + piece.length}`,
      );
    }
    yield piece;
  }
}
