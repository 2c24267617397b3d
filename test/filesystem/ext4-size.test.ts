import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ext4Blocks, ext4Inodes, ext4Needs } from '../../src/filesystem/ext4-size.ts';
import { treeOf } from '../tree/a-tree.ts';

/** Spare bytes, and the blocks that mke2fs 1.47 needs for one small file and so much room, as dumpe2fs counted them. */
const COUNTED: readonly (readonly [spare: number, blocks: number])[] = [
  [1e6, 277],
  [8e6, 2013],
  [1.2e8, 30_807],
  [9e8, 227_734],
  [8.5e9, 2_133_435],
  [1.7e10, 4_259_605],
];

describe('the size of ext4', () => {
  const tree = treeOf([{ kind: 'text', target: '/a/b', text: 'x' }]);

  for (const [spare, blocks] of COUNTED) {
    test(`with ${spare} bytes to spare is what mke2fs makes of it, to the block`, () => {
      assert.equal(ext4Blocks(ext4Needs(tree, spare)), blocks);
    });
  }

  test('grows with every file, and gives inodes to the room that is left', () => {
    const needs = ext4Needs(tree, 0);
    const more = ext4Needs(
      treeOf([
        { kind: 'text', target: '/a/b', text: 'x'.repeat(5000) },
        { kind: 'link', target: '/a/c', to: 't'.repeat(60) },
      ]),
      0,
    );
    assert.deepEqual([more.blocks - needs.blocks, more.inodes - needs.inodes], [2, 1]);
    const blocks = ext4Blocks(needs);
    assert.equal(ext4Inodes(blocks, needs), needs.inodes);
    assert.ok(ext4Inodes(blocks + 100_000, needs) > needs.inodes + 20_000);
  });
});
