/** The digest cache is right or empty. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { openDigestCache } from '../../src/disk/digest-cache.ts';
import type { FileStat } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { faultyDisk } from '../support/faulty-disk.ts';

const disk = nodeDisk();
const top = mkdtempSync(join(tmpdir(), 'espalier-cache-'));
after(() => rmSync(top, { recursive: true }));
const fresh = (): string => join(mkdtempSync(join(top, 'c')), 'espalier');

const digest = hash('content');
const stat: FileStat = {
  kind: 'file',
  size: 7,
  mode: 0o100444,
  uid: 0,
  device: 1,
  inode: 2,
  modified: 1000,
  changed: 1_700_000_000_123.456,
};

/** A directory with a cache that knows one digest. */
async function filled(): Promise<string> {
  const directory = fresh();
  const cache = openDigestCache(disk, directory);
  cache.put('file', '/nix/store/a', stat, digest);
  assert.equal(await cache.save(), undefined);
  return directory;
}

const lookUp = (directory: string, as: FileStat = stat) =>
  openDigestCache(disk, directory).get('file', '/nix/store/a', as);

test('what was put is there in the same run and in the next', async () => {
  const cache = openDigestCache(disk, fresh());
  assert.equal(cache.get('file', '/nix/store/a', stat), undefined);
  cache.put('file', '/nix/store/a', stat, digest);
  assert.equal(cache.get('file', '/nix/store/a', stat), digest);
  assert.equal(lookUp(await filled()), digest);
});

test('another file, another key, or any other stat finds nothing', async () => {
  const directory = await filled();
  const cache = openDigestCache(disk, directory);
  assert.equal(cache.get('file', '/nix/store/b', stat), undefined);
  assert.equal(cache.get('signed:ab', '/nix/store/a', stat), undefined);
  for (const field of ['device', 'inode', 'size', 'modified', 'changed'] as const) {
    assert.equal(lookUp(directory, { ...stat, [field]: stat[field] + 1 }), undefined, field);
  }
});

test('nothing is written while nothing was learned', async () => {
  const directory = await filled();
  const inode = disk.stat(join(directory, 'digests.json'))?.inode;
  const cache = openDigestCache(disk, directory);
  cache.get('file', '/nix/store/a', stat);
  await cache.save();
  assert.equal(disk.stat(join(directory, 'digests.json'))?.inode, inode);
  const unused = fresh();
  await openDigestCache(disk, unused).save();
  assert.equal(disk.stat(unused), undefined);
});

test('what a run did not ask for is forgotten when it saves', async () => {
  const directory = await filled();
  const cache = openDigestCache(disk, directory);
  cache.put('file', '/nix/store/b', stat, digest);
  await cache.save();
  assert.equal(lookUp(directory), undefined);
  assert.equal(openDigestCache(disk, directory).get('file', '/nix/store/b', stat), digest);
});

test('a file that changed a moment ago is not remembered, one of a Nix store is', () => {
  const cache = openDigestCache(disk, fresh());
  const remembers = (modified: number): boolean => {
    const as = { ...stat, modified };
    cache.put('file', '/f', as, digest);
    return cache.get('file', '/f', as) !== undefined;
  };
  assert.equal(remembers(Date.now()), false);
  assert.equal(remembers(Date.now() + 60_000), false);
  assert.equal(remembers(Date.now() - 2000), false, 'a step of the clock of FAT');
  assert.equal(remembers(Date.now() - 10_000), true);
  assert.equal(remembers(1000), true);
});

test('a cache that is no cache of ours is empty, and is replaced by the next save', async () => {
  const row = ['file', '/nix/store/a', 1, 2, 7, 1000, stat.changed, digest];
  const documents = [
    '',
    '{',
    'null',
    '[]',
    '{"version":1}',
    '{"version":1,"rows":{}}',
    JSON.stringify({ version: 2, rows: [row] }),
    JSON.stringify({ version: 1, rows: [row, null] }),
    JSON.stringify({ version: 1, rows: [row.slice(1)] }),
    JSON.stringify({ version: 1, rows: [row.with(7, 'ab')] }),
    JSON.stringify({ version: 1, rows: [row.with(2, '1')] }),
    ' '.repeat(4 * 1024 * 1024 + 1),
  ];
  for (const text of documents) {
    const directory = await filled();
    writeFileSync(join(directory, 'digests.json'), text);
    assert.equal(lookUp(directory), undefined, text.slice(0, 80));
    const cache = openDigestCache(disk, directory);
    cache.put('file', '/nix/store/a', stat, digest);
    assert.equal(await cache.save(), undefined);
    assert.equal(lookUp(directory), digest);
  }
});

test('a cache that others could have written is not believed', async (t) => {
  const directory = await filled();
  const path = join(directory, 'digests.json');
  chmodSync(path, 0o620);
  assert.equal(lookUp(directory), undefined);
  chmodSync(path, 0o600);
  chmodSync(directory, 0o777);
  assert.equal(lookUp(directory), undefined);
  chmodSync(directory, 0o755);
  assert.equal(lookUp(directory), digest);
  if (process.getuid?.() !== 0) return t.skip('needs root to give files away');
  chownSync(path, 65534, 65534);
  assert.equal(lookUp(directory), undefined);
});

test('a link in the place of the cache is not followed', async () => {
  const directory = await filled();
  const path = join(directory, 'digests.json');
  disk.rename(path, join(directory, 'elsewhere.json'));
  symlinkSync('elsewhere.json', path);
  assert.equal(lookUp(directory), undefined);
});

test('a cache that cannot be written is a warning that says why', async () => {
  const directory = fresh();
  disk.makeDirectory(directory);
  chmodSync(directory, 0o777);
  const open = openDigestCache(disk, directory);
  open.put('file', '/nix/store/a', stat, digest);
  assert.match((await open.save())?.message ?? '', /belongs to someone else, or others may write/);
  const broken = faultyDisk(disk, 1, new EspError('ESP_FULL', 'no room'));
  const cache = openDigestCache(broken, fresh());
  cache.put('file', '/nix/store/a', stat, digest);
  assert.equal((await cache.save())?.code, 'ESP_FULL');
  assert.equal(await cache.save(), undefined);
});

test('the stat of a real file survives the way through the cache', async () => {
  const path = join(top, 'real');
  writeFileSync(path, 'content');
  utimesSync(path, 1_600_000_000.123, 1_600_000_000.123456);
  const real = disk.stat(path);
  assert.ok(real !== undefined);
  const directory = fresh();
  const cache = openDigestCache(disk, directory);
  cache.put('file', path, real, digest);
  await cache.save();
  assert.equal(openDigestCache(disk, directory).get('file', path, real), digest);
});

test('what a killed run did not finish is removed by the next, even by one that learns nothing', async () => {
  const directory = await filled();
  const old = join(directory, 'digests.json.1234567');
  const kept = ['digests.json.12.bak', 'digests.json.89', 'else.json.12'];
  for (const name of ['digests.json.1234567', ...kept]) writeFileSync(join(directory, name), '{');
  for (const path of [old, join(directory, 'else.json.12')]) utimesSync(path, 1, 1);
  assert.equal(await openDigestCache(disk, directory).save(), undefined);
  assert.deepEqual(readdirSync(directory).sort(), ['digests.json', ...kept].sort());
});
