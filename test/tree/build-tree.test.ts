import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, test } from 'node:test';
import type { Contents } from '../../src/tree/contents.ts';
import { aDirectory, nodeAt, plant, treeOf } from './a-tree.ts';

const paths = (contents: readonly Contents[]): readonly string[] =>
  treeOf(contents)
    .values()
    .map(({ path }) => path)
    .toArray();

const text = (target: string, words = 'words'): Contents => ({ kind: 'text', target, text: words });

describe('a tree', () => {
  test('has each directory before what is in it, and names in the order of their bytes', (t) => {
    const at = aDirectory(t);
    plant(at, {
      'src/b': '',
      'src/B': '',
      'src/a/x': '',
      'src/a-b': '',
      'src/\u{1f600}': '',
      'src/\uffee': '',
    });
    assert.deepEqual(paths([{ kind: 'copy', source: at('src'), target: '/usr' }]), [
      ...['/', '/usr', '/usr/B', '/usr/a', '/usr/a/x', '/usr/a-b', '/usr/b'],
      // In UTF-16 the second would come first.
      ...['/usr/\uffee', '/usr/\u{1f600}'],
    ]);
  });

  test('merges directories, and makes those that are only needed above a name', (t) => {
    const at = aDirectory(t);
    plant(at, { 'one/etc/a': '', 'two/etc/b': '' });
    const tree = treeOf([
      { kind: 'copy', source: at('one'), target: '/' },
      { kind: 'copy', source: at('two'), target: '/' },
      text('/var/lib/c'),
    ]);
    assert.deepEqual(
      Array.from(tree, ({ path }) => path),
      ['/', '/etc', '/etc/a', '/etc/b', '/var', '/var/lib', '/var/lib/c'],
    );
    assert.equal(nodeAt(tree, '/var/lib').mode, 0o755);
  });

  test('copies what is neither file, directory nor link as what it is', async (t) => {
    const at = aDirectory(t);
    execFileSync('mkfifo', [at('fifo')]);
    const server = createServer().listen(at('socket'));
    t.after(() => server.close());
    await once(server, 'listening');
    const tree = treeOf([
      { kind: 'copy', source: at(), target: '/' },
      { kind: 'copy', source: '/dev/null', target: '/null' },
    ]);
    assert.equal(nodeAt(tree, '/fifo').kind, 'fifo');
    assert.equal(nodeAt(tree, '/socket').kind, 'socket');
    const { kind, device } = nodeAt(tree, '/null');
    assert.deepEqual([kind, device], ['character', { major: 1, minor: 3 }]);
  });

  test('refuses two declarations of one target, and names both', () => {
    assert.throws(() => paths([text('/etc/motd'), text('/etc/./motd')]), {
      code: 'CONFIG_INVALID',
      message: /contents 2 \(text .*\) puts it there, and so does contents 1/,
    });
    assert.throws(() => paths([text('/etc/motd'), text('/etc')]), { code: 'CONFIG_INVALID' });
  });

  test('refuses a name below a link, and names the link', () => {
    const link: Contents = { kind: 'link', target: '/bin', to: 'usr/bin' };
    assert.throws(() => paths([link, text('/bin/sh')]), {
      code: 'CONFIG_INVALID',
      message: /expected \/bin to be a directory, but it is a link, a link to usr\/bin/,
    });
  });

  test('refuses paths that lead out of it', () => {
    assert.throws(() => paths([text('/../etc/passwd')]), { code: 'CONFIG_INVALID' });
    assert.throws(() => paths([text(`/${'n'.repeat(256)}`)]), { code: 'CONFIG_INVALID' });
  });

  test('takes numbers of users and groups from its own files, not from the machine', () => {
    const tree = treeOf([
      { ...text('/srv/a'), user: 'web', group: 'web', mode: 0o640 } as Contents,
      text('/etc/passwd', 'root:x:0:0::/:/bin/sh\nweb:x:70:71::/:/bin/sh\n'),
      text('/etc/group', 'web:x:72:\n'),
      { kind: 'directory', target: '/srv/b', user: '1000', mode: 0o600 },
    ]);
    const { uid, gid, mode } = nodeAt(tree, '/srv/a');
    assert.deepEqual([uid, gid, mode], [70, 72, 0o640]);
    const directory = nodeAt(tree, '/srv/b');
    assert.deepEqual([directory.uid, directory.gid, directory.mode], [1000, 0, 0o700]);
    assert.throws(() => treeOf([{ ...text('/a'), user: 'daemon' } as Contents]), {
      code: 'CONFIG_INVALID',
      message: /user "daemon": expected a number or a name in \/etc\/passwd of the image/,
    });
  });

  test('puts what a pattern matches into the target, without dot files', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/a.conf': '', 'src/b.conf': '', 'src/.c.conf': '', 'src/d.txt': '' });
    assert.deepEqual(paths([{ kind: 'copy', source: at('src/*.conf'), target: '/etc' }]), [
      ...['/', '/etc', '/etc/a.conf', '/etc/b.conf'],
    ]);
    const nothing: Contents = { kind: 'copy', source: at('src/*.none'), target: '/etc' };
    assert.throws(() => paths([nothing]), { code: 'FILE_MISSING' });
  });

  test('leaves out what is excluded: a name with all below it, or only what is in a directory', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/a/x': '', 'src/b/x': '', 'src/c/x.pyc': '', 'src/c/x.py': '' });
    const exclude = ['a', 'b/', '**/*.pyc'];
    assert.deepEqual(paths([{ kind: 'copy', source: at('src'), target: '/', exclude }]), [
      ...['/', '/b', '/c', '/c/x.py'],
    ]);
  });

  test('makes all root’s and of one time unless it is asked for what is there', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/a': 'a' });
    chmodSync(at('src/a'), 0o4755);
    const contents: Contents[] = [{ kind: 'copy', source: at('src'), target: '/' }];
    const { uid, modified, mode, size } = nodeAt(treeOf(contents), '/a');
    assert.deepEqual([uid, modified, mode, size], [0, 1, 0o4755, 1]);
    const kept = nodeAt(treeOf(contents, { time: 'kept', owners: 'kept' }), '/a');
    assert.equal(kept.uid, process.getuid?.());
    assert.ok(kept.modified > 1_000_000_000);
  });

  test('breaks hard links, and keeps them when asked', (t) => {
    const at = aDirectory(t);
    plant(at, { 'src/b': 'same' });
    linkSync(at('src/b'), at('src/a'));
    const contents: Contents[] = [{ kind: 'copy', source: at('src'), target: '/' }];
    assert.equal(nodeAt(treeOf(contents), '/b').sameAs, undefined);
    const kept = treeOf(contents, { hardLinks: 'kept' });
    assert.equal(nodeAt(kept, '/a').sameAs, undefined);
    assert.equal(nodeAt(kept, '/b').sameAs, '/a');
  });

  test('copies links as links, but for the source itself', (t) => {
    const at = aDirectory(t);
    plant(at, { 'real/a': '' });
    symlinkSync('a', at('real/link'));
    symlinkSync(at('real'), at('profile'));
    const tree = treeOf([{ kind: 'copy', source: at('profile'), target: '/sw' }]);
    assert.equal(nodeAt(tree, '/sw').kind, 'directory');
    assert.equal(nodeAt(tree, '/sw/link').target, 'a');
  });

  test('takes a closure to its own paths, with what the Nix database is loaded from', (t) => {
    const at = aDirectory(t);
    plant(at, { 'store/x-a/bin/a': '', 'store/y-b': 'b', registration: 'r' });
    plant(at, { list: `${at('store/y-b')}\n${at('store/x-a')}\n${at('store/y-b')}\n` });
    mkdirSync(at('store/z-not-asked'));
    const tree = treeOf([{ kind: 'closure', list: at('list'), registration: at('registration') }]);
    const files = [...tree].filter(({ kind }) => kind === 'file').map(({ path }) => path);
    const expected = ['/nix-path-registration', at('store/x-a/bin/a'), at('store/y-b')];
    assert.deepEqual([...files].sort(), expected.sort());
    assert.ok(!tree.values().some(({ path }) => path.endsWith('z-not-asked')));
  });
});
