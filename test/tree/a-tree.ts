/** Trees of the tests: from files of a temporary directory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { buildTree } from '../../src/tree/build-tree.ts';
import { type Contents, STEADY, type TreeSettings } from '../../src/tree/contents.ts';
import { Draft } from '../../src/tree/draft.ts';
import type { TreeNode } from '../../src/tree/node.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Returns a function that makes paths in a directory, which the end of the test removes. */
export function aDirectory(t: TestContext): (name?: string) => string {
  const home = mkdtempSync(join(tmpdir(), 'espalier-tree-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return (name = '') => join(home, name);
}

/** Writes files with the directories above them. */
export function plant(
  at: (name: string) => string,
  files: Readonly<Record<string, string | Uint8Array>>,
): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), content);
  }
}

/** Returns the tree of declarations over the machine's own disk. */
export function treeOf(contents: readonly Contents[], settings: Partial<TreeSettings> = {}): Tree {
  return buildTree(contents, { ...STEADY, ...settings }, nodeDisk());
}

/** Returns the tree of nodes. */
export function treeFrom(nodes: readonly TreeNode[]): Tree {
  const draft = new Draft('kept');
  const further = new Set(nodes.map(({ sameAs }) => sameAs));
  for (const { sameAs, ...node } of nodes) {
    const identity = sameAs ?? (further.has(node.path) ? node.path : undefined);
    draft.put(node.path, { ...node, ...(identity !== undefined && { identity }) }, 'nodes');
  }
  return draft.tree(() => 0);
}

/** Returns one node of a tree. */
export function nodeAt(tree: Tree, path: string): TreeNode {
  const node = tree.values().find((each) => each.path === path);
  if (node === undefined) throw new Error(`${path} is not in the tree`);
  return node;
}
