/** EROFS that is compressed: by mkfs.erofs. Our own writer makes all others, straight into the image. */
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import { tarStream } from '../tree/tar-writer.ts';
import { sizeOf } from './region.ts';
import type { Maker, Plan, Region, Request, Workshop } from './request.ts';
import { type FoundTool, findTool, MKFS_EROFS, runTool } from './tool.ts';

/** The first version that takes a tar stream as it is. Before, owners were those of the files. */
const LEAST = { version: '1.8', why: 'compression' };

const ALGORITHMS = ['lz4', 'lz4hc', 'lzma', 'deflate', 'libdeflate', 'zstd'];

export const COMPRESSED_EROFS: Maker = {
  plan(request, workshop): Plan {
    const { version } = compressor(request, workshop);
    return { size: undefined, place: 'beside', by: `${MKFS_EROFS.name} ${version}` };
  },
  make: compress,
};

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
  const { tree, label, uuid, time, compression } = request;
  const { algorithm = '', level } = compression ?? {};
  using reader = new ContentReader(workshop.disk);
  const argv = [
    ...['--quiet', `-z${algorithm}${level === undefined ? '' : `,level=${level}`}`],
    ...['-U', uuid, '-T', String(time), ...(label === '' ? [] : ['-L', label])],
    // Without it, the time is that of every file.
    ...(tree.values().some(({ modified }) => modified !== time) ? ['--mkfs-time'] : []),
    ...['--tar=f', region.path],
  ];
  await runTool(compressor(request, workshop), { argv, input: tarStream(tree, reader) }, workshop);
  return sizeOf(region, workshop);
}
