/**
 * ext4, made by mkfs.ext4 and filled by debugfs of e2fsprogs. debugfs is given every owner, mode and
 * time, so that it needs neither root nor a copy of the tree.
 */
import { EspError } from '../error.ts';
import { epoch, ext4Script } from './ext4-script.ts';
import { EXT4_BLOCK, ext4Blocks, ext4Inodes, ext4Needs } from './ext4-size.ts';
import { whole } from './region.ts';
import {
  type Maker,
  type Plan,
  type Region,
  type Request,
  requireTimes,
  type Workshop,
} from './request.ts';
import { Sources, stageIn } from './staged.ts';
import { DEBUGFS, type FoundTool, findTool, MKFS_EXT4, runTool } from './tool.ts';

/** The first version whose debugfs packs attributes and 64-bit times as later ones do. */
const LEAST = { version: '1.46' };

/**
 * Named one by one, because the defaults are those of the machine's configuration and of the
 * version. Those that GRUB 2.06 cannot read are not among them.
 */
const FEATURES = [
  ...['has_journal', 'ext_attr', 'resize_inode', 'dir_index', 'filetype', 'extent', '64bit'],
  ...['flex_bg', 'sparse_super', 'large_file', 'huge_file', 'dir_nlink', 'extra_isize'],
  'metadata_csum',
];
const MAX_LABEL = 16;
/** e2fsprogs 1.47.0 writes 32 bits of a time, which Linux reads with a sign, and says nothing. */
const LATEST = 2 ** 31 - 1;

export const EXT4: Maker = {
  plan(request, workshop): Plan {
    const { version } = tools(workshop).mkfs;
    requireTimes(request, LATEST, 'ext4');
    if (Buffer.byteLength(request.label) > MAX_LABEL) {
      throw new EspError(
        'CONFIG_INVALID',
        `label ${JSON.stringify(request.label)}: expected at most ${MAX_LABEL} bytes for ext4`,
      );
    }
    const size = ext4Blocks(ext4Needs(request.tree, request.spare)) * EXT4_BLOCK;
    return { size, place: 'in-place', by: `${MKFS_EXT4.name} ${version}` };
  },

  async make(request, region, workshop): Promise<number> {
    const needs = ext4Needs(request.tree, request.spare);
    const least = whole(region, ext4Blocks(needs) * EXT4_BLOCK);
    const blocks = Math.floor((region.size ?? least) / EXT4_BLOCK);
    const { mkfs, debugfs } = tools(workshop);
    const environment = { E2FSPROGS_FAKE_TIME: String(epoch(request.time)) };
    const argv = mkfsArguments(request, region, ext4Inodes(blocks, needs));
    await runTool(mkfs, { argv: [...argv, region.path, `${blocks * 4}k`], environment }, workshop);
    await fill(request, region, debugfs, environment, workshop);
    return blocks * EXT4_BLOCK;
  },
};

function tools(workshop: Workshop): { readonly mkfs: FoundTool; readonly debugfs: FoundTool } {
  const find = (tool: typeof DEBUGFS) => findTool(tool, LEAST, workshop);
  return { mkfs: find(MKFS_EXT4), debugfs: find(DEBUGFS) };
}

function mkfsArguments(request: Request, region: Region, inodes: number): readonly string[] {
  const { uuid, hashSeed, label } = request;
  const extended = `offset=${region.offset},hash_seed=${hashSeed},root_owner=0:0,nodiscard,lazy_itable_init=1,lazy_journal_init=1`;
  return [
    ...['-q', '-F', '-b', String(EXT4_BLOCK), '-I', '256', '-N', String(inodes), '-m', '0'],
    ...['-O', ['none', ...FEATURES].join(','), '-U', uuid, '-E', extended],
    ...(label === '' ? [] : ['-L', label]),
  ];
}

async function fill(
  request: Request,
  { path, offset }: Region,
  debugfs: FoundTool,
  environment: Readonly<Record<string, string>>,
  workshop: Workshop,
): Promise<void> {
  const stage = stageIn(workshop);
  using sources = new Sources(workshop, stage);
  const image = offset === 0 ? path : `${path}?offset=${offset}`;
  // It reads the first commands while the last are not made yet.
  const input = ext4Script(request, sources, stage);
  const argv = ['-w', '-f', '-', image];
  try {
    await runTool(debugfs, { argv, environment, input, judge: judgeMessages }, workshop);
  } catch (error) {
    throw explained(error, request, workshop);
  }
}

/** debugfs ends with 0 whatever happened; it says its version first, and then only what failed. */
function judgeMessages(messages: string): string | undefined {
  const wrong = messages
    .split('\n')
    .map((line) => line.replace(/\p{Cc}/gu, ' ').trim())
    .filter((line) => line !== '' && !/^debugfs \d/.test(line));
  return wrong.length === 0 ? undefined : wrong.slice(0, 3).join(' / ').slice(0, 600);
}

/** Returns the failure as a lack of space, or with the source that could not be read. */
function explained(error: unknown, { tree }: Request, { disk }: Workshop): unknown {
  if (!(error instanceof EspError) || error.code !== 'TOOL_FAILED') return error;
  if (/could not allocate|no space/i.test(error.message)) {
    return new EspError(
      'IMAGE_FULL',
      `the tree does not fit into the ext4 file system: ${error.message}`,
      {
        hint: 'give the partition more room',
        cause: error,
      },
    );
  }
  for (const { content } of tree) {
    if (content === undefined || !('path' in content)) continue;
    try {
      disk.open(content.path)[Symbol.dispose]();
    } catch (cause) {
      return new EspError('TOOL_FAILED', `${content.path} cannot be read: ${error.message}`, {
        cause,
      });
    }
  }
  return error;
}
