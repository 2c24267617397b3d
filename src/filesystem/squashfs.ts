/** squashfs, by sqfstar of squashfs-tools. */
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { TreeNode } from '../tree/node.ts';
import { tarStream } from '../tree/tar-writer.ts';
import type { Tree } from '../tree/tree.ts';
import { sizeOf } from './region.ts';
import { type Maker, type Plan, type Request, requireTimes } from './request.ts';
import { findTool, type Least, runTool, SQFSTAR } from './tool.ts';

const ALGORITHMS = ['gzip', 'lzo', 'lz4', 'xz', 'zstd', 'lzma'];
const DEFAULT_ALGORITHM = 'zstd';
/** Times have 32 bits. */
const LATEST = 2 ** 32 - 1;
/** sqfstar takes half a GiB unless it is told. The bytes are the same. */
const MEMORY = '128M';

export const SQUASHFS: Maker = {
  plan(request, workshop): Plan {
    const { version } = findTool(SQFSTAR, leastFor(request), workshop);
    requireAlgorithm(request);
    requireTimes(request, LATEST, 'squashfs');
    return { size: undefined, place: 'beside', by: `${SQFSTAR.name} ${version}` };
  },
  async make(request, region, workshop): Promise<number> {
    const { tree, time } = request;
    const root = tree.at(0);
    const { algorithm = DEFAULT_ALGORITHM, level } = request.compression ?? {};
    using reader = new ContentReader(workshop.disk);
    const argv = [
      ...['-quiet', '-no-progress', '-force', '-exit-on-error', '-mem', MEMORY],
      ...['-comp', algorithm, '-root-mode', root.mode.toString(8)],
      ...['-root-time', String(root.modified)],
      ...(isRoots(tree) ? ['-all-root'] : owner(root)),
      ...(level === undefined ? [] : ['-Xcompression-level', String(level)]),
      ...['-o', String(region.offset), region.path],
    ];
    // sqfstar is told of the root by its options, and warns of a member without a name.
    const input = tarStream(tree.values().drop(1), reader);
    // Version 4.5 gives the root the time of day whatever its options say, but no later one than this.
    // No file keeps a later one either.
    const latest = tree.values().reduce((max, { modified }) => Math.max(max, modified), time);
    const environment = { SOURCE_DATE_EPOCH: String(latest) };
    await runTool(
      findTool(SQFSTAR, leastFor(request), workshop),
      { argv, input, environment },
      workshop,
    );
    return sizeOf(region, workshop);
  },
};

/** Version 4.5, the first with sqfstar, takes no level, and makes the root the builder's. */
function leastFor({ tree, compression }: Request): Least {
  if (compression?.level !== undefined) return { version: '4.6', why: 'a level of compression' };
  return isRoots(tree) ? { version: '4.5' } : { version: '4.6', why: 'owners other than root' };
}

function isRoots(tree: Tree): boolean {
  return tree.values().every(({ uid, gid }) => uid === 0 && gid === 0);
}

function owner(root: TreeNode): readonly string[] {
  return ['-root-uid', String(root.uid), '-root-gid', String(root.gid)];
}

function requireAlgorithm({ compression }: Request): void {
  const { algorithm = DEFAULT_ALGORITHM } = compression ?? {};
  if (ALGORITHMS.includes(algorithm)) return;
  throw new EspError(
    'CONFIG_INVALID',
    `compression ${JSON.stringify(algorithm)}: expected one of ${ALGORITHMS.join(', ')} for squashfs`,
  );
}
