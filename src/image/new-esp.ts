/** The ESP of an image in the making, as a disk that every verb can work on. */
import type { Context } from '../context.ts';
import { fatDisk } from '../disk/fat-disk.ts';
import { mountedDisk } from '../disk/mounted-disk.ts';
import { windowOf } from '../disk/window.ts';
import { EspError } from '../error.ts';
import { formatFat } from '../fat/format.ts';
import type { RawFile } from '../process/machine.ts';
import { fill } from '../transaction/assemble.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { TreeNode } from '../tree/node.ts';
import type { Tree } from '../tree/tree.ts';
import { parseUuid } from '../verity/uuid.ts';
import type { Place } from './layout.ts';

/** A FAT to make. */
export interface NewEsp {
  readonly image: RawFile;
  readonly place: Place;
  /** Of the disk, in bytes. */
  readonly sectorSize: number;
  /** Of the partition; the volume gets what FAT can hold of it. */
  readonly label: string;
  /** Of the file system: the volume's number is its beginning. */
  readonly uuid: string;
  /** The time of everything in it, in seconds since the epoch. */
  readonly time: number;
  /** The path under which it is shown. */
  readonly root: string;
}

const MAX_LABEL = 11;

/**
 * Formats a FAT, and returns a context whose disk has it at its root path. Names there do not depend
 * on the process, so that the same run gives the same bytes.
 * @throws {CONFIG_INVALID} when firmware takes no FAT of this size
 */
export function withNewEsp(
  { image, place, sectorSize, label, uuid, time, root }: NewEsp,
  context: Context,
): Context {
  const region = windowOf(image, place.offset, place.size);
  const [a = 0, b = 0, c = 0, d = 0] = parseUuid(uuid) ?? [];
  formatFat({
    region,
    sectorSize,
    label: volumeLabel(label),
    volumeId: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0,
    hidden: place.offset / sectorSize,
    epoch: time,
  });
  // Two FATs of one image are two file systems.
  const file = () => ({ device: 0, inode: place.offset, uid: context.uid, mode: 0o644 });
  const fat = fatDisk({ region, root, access: 'write', epoch: time, durable: false, file });
  return { ...context, disk: mountedDisk(context.disk, root, fat.disk), processId: 0 };
}

/** mkfs.vfat takes no other characters without a warning. */
function volumeLabel(label: string): string {
  return label
    .toUpperCase()
    .replace(/[^A-Z0-9_-]/g, '_')
    .slice(0, MAX_LABEL);
}

/**
 * Puts a tree into a FAT. Owners and modes are left out: FAT has none.
 * @throws {CONFIG_INVALID} for a link or a device, which FAT cannot have either
 */
export async function putTree(tree: Tree, root: string, { disk }: Context): Promise<void> {
  using reader = new ContentReader(disk);
  for (const node of tree) {
    const path = node.path === '/' ? root : `${root}${node.path}`;
    if (node.kind === 'directory') disk.makeDirectory(path);
    else if (node.kind === 'file') await putFile(node, path, reader, disk);
    else throw new EspError('CONFIG_INVALID', `${node.path}: FAT holds no ${node.kind}`);
  }
}

/** What is copied at once, in bytes: small pieces stay in the processor's caches. */
const PIECE = 64 * 1024;

async function putFile(
  node: TreeNode,
  path: string,
  reader: ContentReader,
  disk: Context['disk'],
): Promise<void> {
  const memory = new Uint8Array(PIECE);
  await fill(disk, path, async (file) => {
    for (let at = 0; at < node.size; at += PIECE) {
      const piece = memory.subarray(0, Math.min(PIECE, node.size - at));
      reader.readInto(node, at, piece);
      await file.write(piece);
    }
  });
}
