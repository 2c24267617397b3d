import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { erofsImage } from '../../src/erofs/image.ts';
import { layOut } from '../../src/erofs/layout.ts';
import { ContentReader } from '../../src/tree/content-reader.ts';
import type { TreeNode, Xattr } from '../../src/tree/node.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { attempt, run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory, plant, treeFrom, treeOf } from '../tree/a-tree.ts';

const identity = { uuid: new Uint8Array(16).fill(7), label: 'store', time: 5 };

function image(tree: Tree): Uint8Array {
  using reader = new ContentReader(nodeDisk());
  const read = reader.readInto.bind(reader);
  return Buffer.concat(
    Array.from(erofsImage(layOut(tree), identity, read), (piece) => piece.slice()),
  );
}

/** Files of every size that ends somewhere else in a block, and names of every length. */
function many(t: TestContext) {
  const at = aDirectory(t);
  const sizes = [0, 1, 60, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 300_000, 1_048_577];
  plant(
    at,
    Object.fromEntries(sizes.map((size) => [`src/${size}`, Buffer.alloc(size, `${size} `)])),
  );
  plant(
    at,
    Object.fromEntries(
      Array.from({ length: 200 }, (_, n) => [`src/d/${'n'.repeat(n % 200)}${n}`, `${n}`]),
    ),
  );
  plant(at, { 'src/!before the dots/deep/er/file': 'x', 'src/-': '', 'src/z/..a': '' });
  return {
    at,
    source: at('src'),
    tree: treeOf([{ kind: 'copy', source: at('src'), target: '/' }]),
  };
}

const absent = missingTools(['erofs-utils']);
const skip = absent.length > 0 && `install it: ${installCommand(absent)}`;

describe('an EROFS image', { skip }, () => {
  test('is whole for fsck.erofs, which takes out of it what went in', (t) => {
    const { at, source, tree } = many(t);
    writeFileSync(at('a.img'), image(tree));
    run('fsck.erofs', [`--extract=${at('out')}`, at('a.img')]);
    run('diff', ['-r', '--no-dereference', source, at('out')]);
  });

  test('says what it is, and has as many blocks as its layout', (t) => {
    const { at, tree } = many(t);
    const bytes = image(tree);
    writeFileSync(at('a.img'), bytes);
    assert.equal(bytes.length, layOut(tree).blocks * 4096);
    const said = run('dump.erofs', ['-s', at('a.img')]);
    assert.match(said, /UUID: +07070707-0707-0707-0707-070707070707/);
    assert.match(said, new RegExp(`Filesystem inode count: +${tree.length}\n`));
  });

  test('wastes less than two in a hundred on files of some kilobytes', (t) => {
    const at = aDirectory(t);
    const sizes = Array.from({ length: 400 }, (_, n) => (n * 7919) % 20_000);
    plant(at, Object.fromEntries(sizes.map((size, n) => [`src/${n}`, Buffer.alloc(size, 1)])));
    const tree = treeOf([{ kind: 'copy', source: at('src'), target: '/' }]);
    const payload = sizes.reduce((sum, size) => sum + size + 64, 0);
    assert.ok(layOut(tree).blocks * 4096 < payload * 1.02);
  });

  test('is the same twice, and another with another byte in a file', (t) => {
    const { at, tree } = many(t);
    const first = image(tree);
    assert.deepEqual(image(tree), first);
    plant(at, { 'src/60': Buffer.alloc(60, 'other') });
    assert.notDeepEqual(image(tree), first);
  });

  test('keeps devices, links, owners and times', (t) => {
    const at = aDirectory(t);
    const plain = { mode: 0o644, uid: 0, gid: 0, modified: 7, size: 0, xattrs: [] } as const;
    const bytes = new TextEncoder().encode('one file');
    const nodes: TreeNode[] = [
      { ...plain, path: '/', kind: 'directory', mode: 0o755 },
      { ...plain, path: '/a', kind: 'file', size: 8, content: { bytes }, uid: 70_000, gid: 3 },
      { ...plain, path: '/b', kind: 'file', size: 8, content: { bytes }, sameAs: '/a' },
      { ...plain, path: '/block', kind: 'block', device: { major: 259, minor: 70_000 } },
      { ...plain, path: '/link', kind: 'link', mode: 0o777, target: 't'.repeat(4090) },
    ];
    writeFileSync(at('a.img'), image(treeFrom(nodes)));
    run('fsck.erofs', [at('a.img')]);
    const file = run('dump.erofs', ['--path=/b', at('a.img')]);
    assert.match(file, /Uid: 70000 +Gid: 3 +Access: 0644/);
    assert.match(file, /Links: 2/);
    assert.match(file, /1970-01-01 00:00:07/);
  });

  test('refuses attributes that it has no room or no name for', () => {
    const withXattr = (xattr: Xattr): Tree =>
      treeFrom([
        {
          path: '/',
          kind: 'directory',
          mode: 0o755,
          uid: 0,
          gid: 0,
          modified: 0,
          size: 0,
          xattrs: [xattr],
        },
      ]);
    const value = new Uint8Array(5000);
    assert.throws(() => layOut(withXattr({ name: 'user.large', value })), {
      code: 'TREE_MALFORMED',
    });
    const foreign = { name: 'com.apple.quarantine', value: new Uint8Array(1) };
    assert.throws(() => layOut(withXattr(foreign)), {
      code: 'TREE_MALFORMED',
      message: /com.apple/,
    });
  });

  test('with a label that is too long is refused', () => {
    using reader = new ContentReader(nodeDisk());
    const long = { ...identity, label: 'l'.repeat(17) };
    const pieces = erofsImage(layOut(treeOf([])), long, reader.readInto.bind(reader));
    assert.throws(() => [...pieces], { code: 'CONFIG_INVALID' });
  });

  test('is whole when it holds nothing', (t) => {
    const at = aDirectory(t);
    writeFileSync(at('a.img'), image(treeOf([])));
    assert.equal(attempt('fsck.erofs', [at('a.img')]).status, 0);
  });
});
