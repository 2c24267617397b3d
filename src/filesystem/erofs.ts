/** EROFS: by our own writer, or by mkfs.erofs where it is to be compressed. */

import { isZero } from '../diskformat/numbers.ts';
import { BLOCK } from '../erofs/format.ts';
import { erofsImage } from '../erofs/image.ts';
import { layOut } from '../erofs/layout.ts';
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import { tarStream } from '../tree/tar-writer.ts';
import { parseUuid } from '../verity/uuid.ts';
import { sizeOf, whole } from './region.ts';
import { type Maker, OWN, type Plan, type Region, type Request, type Workshop } from './request.ts';
import { type FoundTool, findTool, MKFS_EROFS, runTool } from './tool.ts';

/** The first version that takes a tar stream as it is. Before, owners were those of the files. */
const LEAST = { version: '1.8', why: 'compression' };

const ALGORITHMS = ['lz4', 'lz4hc', 'lzma', 'deflate', 'libdeflate', 'zstd'];

export const EROFS: Maker = {
  plan(request, workshop): Plan {
    if (request.compression !== undefined) {
      const { version } = compressor(request, workshop);
      const by = `${MKFS_EROFS.name} ${version}`;
      return { size: undefined, place: 'beside', by };
    }
    const size = layOut(request.tree).blocks * BLOCK;
    return { size, place: 'in-place', by: OWN };
  },
  async make(request, region, workshop): Promise<number> {
    if (request.compression === undefined) return write(request, region, workshop);
    return compress(request, region, workshop);
  },
};

function write(request: Request, region: Region, { disk }: Workshop): number {
  const { tree, label, time } = request;
  const uuid = parseUuid(request.uuid);
  if (uuid === undefined) throw new EspError('CONFIG_INVALID', `${request.uuid} is no UUID`);
  const layout = layOut(tree);
  const size = whole(region, layout.blocks * BLOCK);
  using reader = new ContentReader(disk);
  const read = reader.readInto.bind(reader);
  let at = 0;
  for (const piece of erofsImage(layout, { uuid, label, time }, read)) {
    // The region holds zeros already.
    if (!isZero(piece)) region.file.writeAt(region.offset + at, piece);
    at += piece.length;
  }
  return size;
}

function compressor(request: Request, workshop: Workshop): FoundTool {
  const { algorithm = '' } = request.compression ?? {};
  if (!ALGORITHMS.includes(algorithm)) {
    throw new EspError(
      'CONFIG_INVALID',
      `compression ${JSON.stringify(algorithm)}: expected one of ${ALGORITHMS.join(', ')} for EROFS`,
    );
  }
  return findTool(MKFS_EROFS, LEAST, workshop);
}

/** mkfs.erofs writes a damaged file system at an offset, so that it gets a file of its own. */
async function compress(request: Request, region: Region, workshop: Workshop): Promise<number> {
  const { tree, label, uuid, time, compression, options = [] } = request;
  const { algorithm = '', level } = compression ?? {};
  using reader = new ContentReader(workshop.disk);
  const argv = [
    ...['--quiet', `-z${algorithm}${level === undefined ? '' : `,level=${level}`}`],
    ...['-U', uuid, '-T', String(time), ...(label === '' ? [] : ['-L', label])],
    // Without it, the time is that of every file.
    ...(tree.values().some(({ modified }) => modified !== time) ? ['--mkfs-time'] : []),
    ...[...options, '--tar=f', region.path],
  ];
  await runTool(compressor(request, workshop), { argv, input: tarStream(tree, reader) }, workshop);
  return sizeOf(region, workshop);
}
