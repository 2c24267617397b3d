/** Contents as files of their own, for programs that read nothing else. */
import { join } from 'node:path';
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { Tree, TreeNode } from '../tree/node.ts';
import type { Workshop } from './request.ts';

/** In bytes. */
const PIECE = 1024 * 1024;

/** Writes bytes to a new file of the scratch directory. Returns the path for another program. */
export type Stage = (bytes: Iterable<Uint8Array>) => Promise<string>;

/** Returns what makes new files in the scratch directory, apart from those of other file systems. */
export function stageIn({ disk, scratch }: Workshop): Stage {
  const directory = disk.makeTemporary(scratch, 'staged-');
  let count = 0;
  return async (bytes) => {
    const path = join(directory, `content-${++count}`);
    const file = await disk.create(path);
    try {
      for (const piece of bytes) await file.write(piece);
    } finally {
      // Nobody needs it after a power cut, so it is not made durable.
      await file.abandon();
    }
    return hostPathOf(path, disk);
  };
}

/**
 * Returns by which path another program finds the content of each file that has one: its own, or
 * that of a copy where it lies within a tar file or in memory.
 */
export async function contentPaths(
  tree: Tree,
  workshop: Workshop,
  stage: Stage,
): Promise<ReadonlyMap<TreeNode, string>> {
  using reader = new ContentReader(workshop.disk);
  const paths = new Map<TreeNode, string>();
  for (const node of tree) {
    const { content } = node;
    if (content === undefined || node.sameAs !== undefined) continue;
    const isWhole =
      'path' in content && content.offset === 0 && isOfSize(content.path, node, workshop);
    const path = isWhole
      ? hostPathOf(content.path, workshop.disk)
      : await stage(pieces(node, reader));
    paths.set(node, path);
  }
  return paths;
}

function isOfSize(path: string, node: TreeNode, { disk }: Workshop): boolean {
  return disk.stat(path)?.size === node.size;
}

function* pieces(node: TreeNode, reader: ContentReader): Generator<Uint8Array> {
  for (let at = 0; at < node.size; at += PIECE) {
    const memory = new Uint8Array(Math.min(PIECE, node.size - at));
    reader.readInto(node, at, memory);
    yield memory;
  }
}

function hostPathOf(path: string, disk: Workshop['disk']): string {
  const hostPath = disk.hostPath(path);
  if (hostPath !== undefined) return hostPath;
  throw new EspError('CONFIG_INVALID', `${path}: expected a file of the running system`, {
    hint: 'programs that make file systems read files of the running system only',
  });
}
