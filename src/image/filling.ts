/** What comes into a partition, and how much of it that is, before a byte is written. */
import type { Disk } from '../disk/disk.ts';
import { erofsImage } from '../erofs/image.ts';
import { type Layout as ErofsLayout, layOut as layOutErofs } from '../erofs/layout.ts';
import { EspError } from '../error.ts';
import type { Guid } from '../guid.ts';
import { buildTree } from '../tree/build-tree.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { TreeSettings } from '../tree/contents.ts';
import type { Tree } from '../tree/node.ts';
import { parseUuid } from '../verity/uuid.ts';
import type { PartitionDefinition } from './definition.ts';

/** Sizes in bytes. */
export type Filling =
  /** Zeros, until somebody else fills it. */
  | { readonly kind: 'none'; readonly size: 0 }
  /** The bytes of a file. */
  | { readonly kind: 'blocks'; readonly path: string; readonly size: number }
  | {
      readonly kind: 'erofs';
      readonly layout: ErofsLayout;
      readonly uuid: Guid;
      readonly label: string;
      readonly time: number;
      readonly size: number;
    }
  /** A FAT, whose files are put in when everything else is there. */
  | { readonly kind: 'fat'; readonly tree: Tree; readonly uuid: Guid; readonly size: number };

/** What the fillings of an image have in common. */
export interface FillingSettings {
  readonly tree: TreeSettings;
  /** The time of file systems, in seconds since the epoch. */
  readonly time: number;
}

/** A file system has a block of its own for everything; how large one is, in bytes. */
const EROFS_BLOCK = 4096;
/** What is read of a file at once, in bytes. */
const PIECE = 256 * 1024;

/**
 * Returns what comes into a partition.
 * @param uuid of its file system
 * @throws {CONFIG_INVALID} when nothing here makes this file system
 * @throws {FILE_MISSING} when a source is not there
 */
export function fillingOf(
  definition: PartitionDefinition,
  uuid: Guid,
  { tree: settings, time }: FillingSettings,
  disk: Disk,
): Filling {
  const { format, contents, copyBlocks, name } = definition;
  if (copyBlocks !== undefined) return blocksOf(copyBlocks, definition, disk);
  if (format === undefined) {
    if (contents.length === 0) return { kind: 'none', size: 0 };
    throw new EspError(
      'CONFIG_INVALID',
      `${name}: files to copy, and no file system to copy them to`,
      {
        hint: 'say which with Format=, as erofs or vfat',
      },
    );
  }
  if (format === 'vfat') {
    return { kind: 'fat', tree: buildTree(contents, settings, disk), uuid, size: 0 };
  }
  if (format === 'erofs') {
    const layout = layOutErofs(buildTree(contents, settings, disk));
    return { kind: 'erofs', layout, uuid, label: '', time, size: layout.blocks * EROFS_BLOCK };
  }
  throw new EspError(
    'CONFIG_INVALID',
    `${name}: there is no file system ${JSON.stringify(format)} here`,
  );
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
 * Yields the bytes of a filling in their order; a piece is valid until the next one. A FAT has none
 * here: its files are put in by name.
 * @throws {SOURCE_CHANGED} when a source is not what it was
 */
export function* piecesOf(filling: Filling, disk: Disk): Generator<Uint8Array> {
  if (filling.kind === 'blocks') {
    yield* fileIn(filling.path, filling.size, disk);
  } else if (filling.kind === 'erofs') {
    using reader = new ContentReader(disk);
    const { layout, label, time } = filling;
    const identity = { uuid: parseUuid(filling.uuid) ?? new Uint8Array(), label, time };
    yield* erofsImage(layout, identity, (node, offset, memory) =>
      reader.readInto(node, offset, memory),
    );
  }
}

function* fileIn(path: string, size: number, disk: Disk): Generator<Uint8Array> {
  using file = disk.open(path);
  const memory = new Uint8Array(PIECE);
  for (let at = 0; at < size; at += PIECE) {
    const wanted = Math.min(PIECE, size - at);
    const piece = file.readInto(at, memory.subarray(0, wanted));
    if (piece.length < wanted) {
      throw new EspError(
        'SOURCE_CHANGED',
        `${path}: expected ${size} bytes, got ${at + piece.length}`,
      );
    }
    yield piece;
  }
}
