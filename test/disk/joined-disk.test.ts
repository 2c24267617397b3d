/** Two file systems that are read as one tree. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinedDisk } from '../../src/disk/joined-disk.ts';
import { watched } from '../property/watched-disk.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

/** A tree at /a in which `x` and all below it are those of /b, and `both` is a directory of either. */
function aTree(files: Readonly<Record<string, string>>) {
  const places = (path: string) => {
    if (path === '/a' || path === '/a/both') return [path, path.replace('/a', '/b')];
    return [/^\/a\/(both\/)?x(\/|$)/.test(path) ? path.replace('/a', '/b') : path];
  };
  const disk = new MemoryDisk({ mount: '/a', second: '/b', files });
  return joinedDisk(
    watched(disk, () => undefined),
    places,
  );
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test('a path leads to the one place where it belongs', () => {
  const disk = aTree({ '/a/x/f': 'hidden', '/b/x/f': 'here', '/a/y': 'y', '/b/y': 'not shown' });
  assert.equal(text(disk.read('/a/x/f', 9)), 'here');
  assert.equal(text(disk.read('/a/y', 9)), 'y');
  assert.equal(disk.realPath('/a/x/f'), '/b/x/f');
  assert.equal(disk.stat('/a/x')?.device, disk.stat('/b')?.device);
  assert.equal(disk.open('/a/x/f').size, 4);
  assert.equal(text(disk.read('/b/y', 9)), 'not shown');
});

test('a directory in two places shows of each what belongs there', () => {
  const disk = aTree({
    ...{ '/a/both/x': 'hidden', '/b/both/x': 'here' },
    ...{ '/a/both/y': 'y', '/b/both/y': 'hidden', '/b/both/z': 'hidden' },
  });
  const names = (path: string) => disk.list(path)?.map(({ name }) => name);
  assert.deepEqual(names('/a/both'), ['x', 'y']);
  assert.deepEqual(names('/a'), ['both']);
  assert.equal(disk.list('/a/none'), undefined);
});

test('a directory in two places that is a file in one is none', () => {
  assert.equal(aTree({ '/b/both': 'a file', '/a/both/y': '' }).linkStat('/a/both')?.kind, 'file');
  assert.equal(aTree({ '/b/both/x': '' }).stat('/a/both')?.kind, 'directory');
  assert.equal(aTree({}).stat('/a/both'), undefined);
});
