import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Draft, plainDirectory } from '../../src/tree/draft.ts';
import { compareNames, type TreeNode } from '../../src/tree/node.ts';
import type { Tree } from '../../src/tree/tree.ts';

/** Names that meet in directories, and whose order in UTF-8 is not that of UTF-16. */
const name = fc.constantFrom('a', 'a-', 'a.', 'B', 'é', '\uffee', '\u{1f600}', 'n'.repeat(255));
const path = fc.array(name, { minLength: 1, maxLength: 4 });

/** What a tree has at its paths, with the directories above them, in their order. */
function expected(paths: readonly (readonly string[])[]): readonly string[] {
  const all = new Map<string, readonly string[]>();
  for (const names of paths) {
    for (let end = 1; end <= names.length; end++) {
      const above = names.slice(0, end);
      all.set(`/${above.join('/')}`, above);
    }
  }
  const order = (one: readonly string[], other: readonly string[]): number => {
    const at = one.findIndex((part, index) => part !== other[index]);
    if (at < 0 || other[at] === undefined) return one.length - other.length;
    return compareNames(one[at] ?? '', other[at]);
  };
  return ['/', ...[...all].sort(([, one], [, other]) => order(one, other)).map(([whole]) => whole)];
}

function drafted(paths: readonly (readonly string[])[]): Tree {
  const draft = new Draft(7);
  for (const names of paths) draft.put(names.join('/'), plainDirectory(0), 'test');
  return draft.tree(() => 0);
}

describe('a draft', () => {
  test('becomes the tree of its paths, whatever their order, and each node knows its neighbours', () => {
    fc.assert(
      fc.property(fc.array(path, { maxLength: 40 }), (paths) => {
        const tree = drafted(paths);
        const nodes = [...tree];
        assert.deepEqual(
          nodes.map((node) => node.path),
          expected(paths),
        );
        for (const [index, node] of nodes.entries()) {
          assert.deepEqual(tree.at(index), node);
          const held = [...tree.childrenOf(index)];
          for (const child of held) assert.equal(tree.parentOf(child.node), index);
          const prefix = node.path === '/' ? '/' : `${node.path}/`;
          assert.deepEqual(
            held.map((child) => prefix + child.name),
            nodes.map((each) => each.path).filter((each) => isIn(each, prefix)),
          );
        }
      }),
    );
  });

  test('finds every name among ten thousand, and keeps all that a node says', () => {
    const draft = new Draft('kept');
    const numbers = Array.from({ length: 10_000 }, (_, number) => number);
    const node = (number: number): Omit<TreeNode, 'path'> => ({
      ...{ kind: 'file', mode: number & 0o7777, uid: number, gid: 0xffff_fffe - number },
      ...{ modified: number - 5000, size: 2 ** 40 + number, xattrs: [] },
      content: {
        path: number % 2 === 0 ? `/source/${number}` : `/other/name-${number}`,
        offset: number * 2 ** 33,
      },
    });
    for (const number of numbers) draft.put(`/d${number % 7}/${number}`, node(number), 'test');
    for (const number of numbers) {
      assert.deepEqual(draft.node(`/d${number % 7}/${number}`), node(number));
    }
    assert.equal(draft.node('/d1/0'), undefined);
    assert.equal(draft.tree(() => 0).length, 10_008);
  });

  test('forgets what lay in a directory that became a file of the same declaration', () => {
    const draft = new Draft(1);
    const file = { ...plainDirectory(1), kind: 'file' } as const;
    draft.put('/a', plainDirectory(1), 'tar');
    draft.put('/a/b', file, 'tar');
    draft.put('/a', file, 'tar');
    assert.equal(draft.node('/a/b'), undefined);
    draft.put('/a', plainDirectory(1), 'tar');
    draft.put('/a/b', plainDirectory(1), 'tar');
    assert.deepEqual(
      Array.from(
        draft.tree(() => 0),
        (each) => `${each.path} ${each.kind}`,
      ),
      ['/ directory', '/a directory', '/a/b directory'],
    );
  });
});

function isIn(path: string, prefix: string): boolean {
  return path !== '/' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/');
}
