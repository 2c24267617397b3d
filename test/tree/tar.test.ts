import assert from 'node:assert/strict';
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { ContentReader } from '../../src/tree/content-reader.ts';
import type { TreeNode } from '../../src/tree/node.ts';
import { type TarMember, tarMembers } from '../../src/tree/tar-reader.ts';
import { tarStream } from '../../src/tree/tar-writer.ts';
import { run } from '../lab/run.ts';
import { aDirectory, nodeAt, plant, treeOf } from './a-tree.ts';

const LONG = `${'directory/'.repeat(30)}file`;

function packed(tree: Iterable<TreeNode>): Uint8Array {
  using reader = new ContentReader(nodeDisk());
  return Buffer.concat([...tarStream(tree, reader)]);
}

/** Packs a tree, and writes over its first header, whose checksum is right again then. */
function forged(tree: Iterable<TreeNode>, at: number, bytes: Uint8Array): Uint8Array {
  const all = Uint8Array.from(packed(tree));
  all.set(bytes, at);
  all.fill(0x20, 148, 156);
  const sum = all.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  all.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148);
  return all;
}

const plain = { mode: 0o644, uid: 0, gid: 0, modified: 7, size: 0, xattrs: [] } as const;

/** A tree with everything that tar can say. */
const everything: readonly TreeNode[] = (() => {
  const bytes = new TextEncoder().encode('content of more than one byte');
  const value = Uint8Array.of(0, 10, 61, 255);
  const nodes: TreeNode[] = [
    { ...plain, path: '/', kind: 'directory', mode: 0o755 },
    { ...plain, path: '/block', kind: 'block', device: { major: 259, minor: 70_000 } },
    { ...plain, path: '/character', kind: 'character', device: { major: 1, minor: 3 } },
    { ...plain, path: '/fifo', kind: 'fifo', mode: 0o600 },
    { ...plain, path: '/file', kind: 'file', size: bytes.length, content: { bytes }, mode: 0o4755 },
    { ...plain, path: '/file-of-many', kind: 'file', uid: 0xffff_fffe, gid: 3_000_000 },
    { ...plain, path: '/link', kind: 'link', mode: 0o777, target: 't'.repeat(300) },
    { ...plain, path: `/${'n'.repeat(200)}`, kind: 'directory', mode: 0o1777, modified: -5 },
    { ...plain, path: '/ünïcode', kind: 'file', xattrs: [{ name: 'security.capability', value }] },
  ];
  return nodes;
})();

describe('a tar file', () => {
  for (const format of ['gnu', 'pax', 'ustar', 'v7']) {
    test(`of GNU tar in its format ${format} is read as it was packed`, (t) => {
      const at = aDirectory(t);
      const long = format === 'v7' || format === 'ustar' ? 'short/file' : LONG;
      plant(at, { [`src/${long}`]: 'deep', 'src/a': 'a'.repeat(1000), 'src/empty': '' });
      linkSync(at('src/a'), at('src/hard'));
      symlinkSync('a', at('src/link'));
      const owner = ['--owner=:70', '--group=:71', '--numeric-owner', '--sort=name', '--mtime=@5'];
      run('tar', [`--format=${format}`, ...owner, '-C', at('src'), '-cf', at('a.tar'), '.']);
      const tree = treeOf([{ kind: 'tar', source: at('a.tar'), target: '/x' }], {
        time: 'kept',
        hardLinks: 'kept',
      });
      const deep = nodeAt(tree, `/x/${long}`);
      assert.deepEqual([deep.uid, deep.gid, deep.size, deep.modified], [70, 71, 4, 5]);
      assert.equal(nodeAt(tree, '/x/hard').sameAs, '/x/a');
      assert.equal(nodeAt(tree, '/x/link').target, 'a');
      using reader = new ContentReader(nodeDisk());
      const memory = new Uint8Array(4);
      reader.readInto(deep, 0, memory);
      assert.equal(new TextDecoder().decode(memory), 'deep');
    });
  }

  test('of GNU tar has owners of 32 bits, and a larger one is refused: it would be somebody else', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/a': '' });
    for (const format of ['gnu', 'pax']) {
      const words = [`--format=${format}`, '--owner=:4294967294', '--group=:3000000'];
      run('tar', [...words, '-C', at('src'), '-cf', at('a.tar'), 'a']);
      const packed = treeOf([{ kind: 'tar', source: at('a.tar'), target: '/' }]);
      const { uid, gid } = nodeAt(packed, '/a');
      assert.deepEqual([uid, gid], [4_294_967_294, 3_000_000]);
    }
    const wide = Uint8Array.of(0x80, 0, 0, 1, 0, 0, 0, 5);
    writeFileSync(at('wide.tar'), forged(everything, 116, wide));
    const tree = () => treeOf([{ kind: 'tar', source: at('wide.tar'), target: '/' }]);
    assert.throws(tree, { code: 'TREE_MALFORMED', message: /a gid of at most .* got 4294967301/ });
  });

  test('of ours is read by GNU tar as it was packed', (t) => {
    const at = aDirectory(t);
    writeFileSync(at('a.tar'), packed(everything));
    const listed = run('tar', [
      '-tvf',
      at('a.tar'),
      '--numeric-owner',
      '--utc',
      '--quoting-style=literal',
    ]);
    assert.match(listed, /^brw-r--r-- 0\/0 +259,70000 1970-01-01 00:00 block$/m);
    assert.match(listed, /^-rwsr-xr-x 0\/0 +29 1970-01-01 00:00 file$/m);
    assert.match(listed, /^-rw-r--r-- 4294967294\/3000000 /m);
    assert.ok(listed.includes(`link -> ${'t'.repeat(300)}`));
    assert.ok(listed.includes(`${'n'.repeat(200)}/`));
    mkdirSync(at('out'));
    run('tar', ['-xf', at('a.tar'), '-C', at('out'), 'file']);
    assert.equal(readFileSync(at('out/file'), 'utf8'), 'content of more than one byte');
  });

  test('of a tree gives the same tree', (t) => {
    const at = aDirectory(t);
    writeFileSync(at('a.tar'), packed(everything));
    const again = treeOf([{ kind: 'tar', source: at('a.tar'), target: '/' }], { time: 'kept' });
    const contentless = (tree: Iterable<TreeNode>) =>
      [...tree]
        .map(({ content: _content, ...node }) => node)
        .sort((a, b) => (a.path < b.path ? -1 : 1));
    assert.deepEqual(contentless(again), contentless(everything));
  });

  test('that would lead out of the tree is refused', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/a': 'a' });
    run('tar', ['-P', '--transform=s,^,../,', '-C', at('src'), '-cf', at('a.tar'), 'a']);
    assert.throws(() => treeOf([{ kind: 'tar', source: at('a.tar'), target: '/' }]), {
      code: 'TREE_MALFORMED',
    });
  });

  test('with a size that is negative or no whole number is refused', () => {
    const content = { bytes: new TextEncoder().encode('12 size=1.5\n') };
    const file = { ...plain, kind: 'file' } as const;
    const record = { ...file, path: '/x', size: content.bytes.length, content };
    // GNU's form of a number that octal digits cannot say. It would lead back to its own header.
    const negative = Buffer.from('fffffffffffffffffffffe00', 'hex');
    for (const [bytes, got] of [
      [forged([{ ...file, path: '/a' }], 124, negative), /a size in bytes, got -512/],
      [
        forged([record, { ...file, path: '/a' }], 156, Buffer.from('x')),
        /a size in bytes, got 1\.5/,
      ],
    ] as const) {
      assert.throws(() => tarMembers(bytesSource(bytes), 'a.tar').next(), {
        code: 'TREE_MALFORMED',
        message: got,
      });
    }
  });

  test('that is cut, flipped or hostile is refused or read within its bounds', () => {
    const whole = packed(everything);
    const members = (bytes: Uint8Array): TarMember[] => [
      ...tarMembers(bytesSource(bytes), 'a.tar'),
    ];
    assert.throws(() => members(whole.subarray(0, whole.length - 1500)), {
      code: 'TREE_MALFORMED',
    });
    const change = fc.record({
      at: fc.nat(whole.length - 1),
      byte: fc.nat(255),
      end: fc.nat(whole.length),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const bytes = Uint8Array.from(whole).subarray(
          0,
          Math.max(...changes.map(({ end }) => end)),
        );
        for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          for (const { offset, size } of members(bytes)) assert.ok(offset + size <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof EspError && error.code === 'TREE_MALFORMED', String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
