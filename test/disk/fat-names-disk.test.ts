import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fatNamesDisk } from '../../src/disk/fat-names-disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';

/** A directory of a file system that tells cases apart, with one file, as FAT would show it. */
function aDirectory(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'espalier-names-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, 'File'), '');
  const at = (name: string) => join(root, name);
  return { at, disk: fatNamesDisk(nodeDisk(), [root]), names: () => readdirSync(root).sort() };
}

test('a name is found in any case, and a new one in the case in which it was made', (t) => {
  const { at, disk, names } = aDirectory(t);
  assert.equal(disk.stat(at('fILE'))?.kind, 'file');
  disk.makeDirectory(at('New'));
  disk.makeDirectory(at('nEW'));
  assert.deepEqual(names(), ['File', 'New']);
});

test('a name that is gone is free for another in another case, at once', (t) => {
  const { at, disk, names } = aDirectory(t);
  assert.equal(disk.stat(at('file'))?.kind, 'file');
  disk.remove(at('file'));
  disk.makeDirectory(at('FILE'));
  assert.deepEqual(names(), ['FILE']);
});

test('so is one that was renamed, unless to itself', (t) => {
  const { at, disk, names } = aDirectory(t);
  disk.rename(at('file'), at('other'));
  disk.makeDirectory(at('FILE'));
  assert.deepEqual(names(), ['FILE', 'other']);
  disk.rename(at('OTHER'), at('Other'));
  assert.equal(disk.stat(at('OTHER'))?.kind, 'file');
  assert.deepEqual(names(), ['FILE', 'other']);
});
