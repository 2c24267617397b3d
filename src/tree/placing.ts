/** What a declaration is put into, and how. */
import { join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import type { Ownership, ReadXattrs, TreeSettings } from './contents.ts';
import type { Draft } from './draft.ts';
import type { DraftNode } from './records.ts';

/** Where a declaration is put. */
export interface Placing {
  readonly draft: Draft;
  readonly settings: TreeSettings;
  readonly disk: Disk;
  readonly readXattrs: ReadXattrs | undefined;
  readonly requireTrusted: ((path: string) => void) | undefined;
  /** The devices of file systems whose files may come into the tree. */
  readonly trusted: Set<number>;
}

/** Returns a node with the mode and the owner that a declaration gives. */
export function owned(node: DraftNode, { mode, user, group }: Ownership): DraftNode {
  const searched = mode === undefined ? undefined : mode | ((mode & 0o444) >> 2);
  return {
    ...node,
    ...(mode !== undefined &&
      node.kind !== 'link' && { mode: node.kind === 'directory' ? (searched ?? mode) : mode }),
    ...(user !== undefined && { user }),
    ...(group !== undefined && { group }),
  };
}

/** Returns a path of the tree below a target. */
export function below(target: string, name: string): string {
  return join('/', target, name);
}
