/** btrfs, by mkfs.btrfs: from a copy of the tree, because it takes owners and times from files alone. */
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import { tarStream } from '../tree/tar-writer.ts';
import type { Tree } from '../tree/tree.ts';
import { whole } from './region.ts';
import type { Maker, Plan, Request, Workshop } from './request.ts';
import { findTool, MKFS_BTRFS, requireTools, runTool, TAR } from './tool.ts';

const LEAST = { version: '6.0' };
const LEAST_TAR = { version: '1.30' };
const BLOCK = 4096;
/** In bytes. mkfs.btrfs refuses less, and its trees are written twice. */
const SMALLEST = 128 * 1024 * 1024;

export const BTRFS: Maker = {
  plan(request, workshop): Plan {
    requireTools(
      [
        [TAR, LEAST_TAR],
        [MKFS_BTRFS, LEAST],
      ],
      workshop,
    );
    const { version } = findTool(MKFS_BTRFS, LEAST, workshop);
    return {
      size: sizeFor(request),
      place: 'beside',
      by: `${MKFS_BTRFS.name} ${version}`,
      unsteady: 'mkfs.btrfs writes the time and random identifiers into its trees',
    };
  },
  async make(request, region, workshop): Promise<number> {
    const { tree, label, uuid } = request;
    const size = whole(region, region.size ?? sizeFor(request));
    const root = await unpacked(tree, workshop);
    const argv = [
      ...['-q', '-f', '--nodiscard', '-U', uuid, '-b', String(size), '--rootdir', root],
      ...(label === '' ? [] : ['-L', label]),
      region.path,
    ];
    await runTool(findTool(MKFS_BTRFS, LEAST, workshop), { argv }, workshop);
    return size;
  },
};

/** What trees and two copies of the metadata take beside the content, with room to grow. */
function sizeFor({ tree, spare }: Request): number {
  const content = tree.values().reduce((sum, { size }) => sum + Math.ceil(size / BLOCK) * BLOCK, 0);
  const size = SMALLEST + Math.ceil(content * 1.1) + tree.length * 2048 + spare;
  return Math.ceil(size / BLOCK) * BLOCK;
}

/**
 * Returns the directory that has the tree. Everything in it has its owner, which takes root.
 * @throws {CONFIG_INVALID} for anybody else
 */
async function unpacked(tree: Tree, workshop: Workshop): Promise<string> {
  const { disk, scratch } = workshop;
  // Its own: an image may have several.
  const root = disk.makeTemporary(scratch, 'root-');
  if (disk.linkStat(root)?.uid !== 0) throw needsRoot(tree);
  const hostPath = disk.hostPath(root) ?? root;
  using reader = new ContentReader(disk);
  const argv = ['-xpf', '-', '--numeric-owner', '--xattrs', '--xattrs-include=*', '-C', hostPath];
  await runTool(
    findTool(TAR, LEAST_TAR, workshop),
    { argv, input: tarStream(tree, reader) },
    workshop,
  );
  return hostPath;
}

function needsRoot(tree: Tree): EspError {
  const stranger = tree
    .values()
    .find(
      ({ uid, gid, kind }) => uid !== 0 || gid !== 0 || kind === 'block' || kind === 'character',
    );
  const why =
    stranger === undefined
      ? 'the builder would own every file'
      : `${stranger.path} is not the builder’s`;
  return new EspError('CONFIG_INVALID', `btrfs: mkfs.btrfs takes owners from files, and ${why}`, {
    hint: 'run it as root, or take ext4 or erofs, which need none',
  });
}
