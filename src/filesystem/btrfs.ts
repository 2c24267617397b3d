/** btrfs, by mkfs.btrfs: from a copy of the tree, because it takes owners and times from files alone. */
import { join } from 'node:path';
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { Tree } from '../tree/node.ts';
import { tarStream } from '../tree/tar-writer.ts';
import { whole } from './region.ts';
import type { Maker, Plan, Workshop } from './request.ts';
import { findTool, MKFS_BTRFS, runTool, TAR } from './tool.ts';

const LEAST = { version: '6.0' };
const BLOCK = 4096;
/** In bytes. mkfs.btrfs refuses less, and its trees are written twice. */
const SMALLEST = 128 * 1024 * 1024;

export const BTRFS: Maker = {
  isReadOnly: false,
  plan({ tree, spare }, workshop): Plan {
    findTool(TAR, { version: '1.30' }, workshop);
    const { version } = findTool(MKFS_BTRFS, LEAST, workshop);
    return {
      size: Math.ceil((sizeFor(tree) + spare) / BLOCK) * BLOCK,
      place: 'beside',
      isSeen: false,
      by: `${MKFS_BTRFS.name} ${version}`,
      unsteady: 'mkfs.btrfs writes the time and random identifiers into its trees',
    };
  },
  async make(request, region, workshop): Promise<number> {
    const { tree, label, uuid, spare, options = [] } = request;
    const size = whole(region, region.size ?? Math.ceil((sizeFor(tree) + spare) / BLOCK) * BLOCK);
    const root = await unpacked(tree, workshop);
    const argv = [
      ...['-q', '-f', '--nodiscard', '-U', uuid, '-b', String(size), '--rootdir', root],
      ...(label === '' ? [] : ['-L', label]),
      ...[...options, region.path],
    ];
    await runTool(findTool(MKFS_BTRFS, LEAST, workshop), { argv }, workshop);
    return size;
  },
};

/** What trees and two copies of the metadata take beside the content, with room to grow. */
function sizeFor(tree: Tree): number {
  const content = tree.reduce((sum, { size }) => sum + Math.ceil(size / BLOCK) * BLOCK, 0);
  return SMALLEST + Math.ceil(content * 1.1) + tree.length * 2048;
}

/** Returns the directory that has the tree. As root everything has its owner; else all is root's by decree. */
async function unpacked(tree: Tree, workshop: Workshop): Promise<string> {
  const { disk, scratch } = workshop;
  const stranger = tree.find(
    ({ uid, gid, kind }) => uid !== 0 || gid !== 0 || kind === 'block' || kind === 'character',
  );
  const root = join(scratch, 'root');
  disk.makeDirectory(root);
  const hostPath = disk.hostPath(root) ?? root;
  const isRoot = disk.linkStat(root)?.uid === 0;
  if (!isRoot) {
    const why =
      stranger === undefined
        ? 'the builder would own every file'
        : `${stranger.path} is not the builder’s`;
    throw new EspError('CONFIG_INVALID', `btrfs: mkfs.btrfs takes owners from files, and ${why}`, {
      hint: 'run it as root, or take ext4 or erofs, which need none',
    });
  }
  using reader = new ContentReader(disk);
  const argv = ['-xpf', '-', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', hostPath];
  await runTool(
    findTool(TAR, { version: '1.30' }, workshop),
    { argv, input: tarStream(tree, reader) },
    workshop,
  );
  return hostPath;
}
