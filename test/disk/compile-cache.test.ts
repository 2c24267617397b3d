/** Node keeps compiled code only where nobody but the user can change it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { compileCacheFolder } from '../../src/disk/compile-cache.ts';

const uid = process.getuid?.() ?? 0;

/** A directory of the user's own, as `--cache-dir` is made. */
function aCache(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'espalier-compile-cache-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}

const folderFor = (directory: string, user = uid) =>
  compileCacheFolder(['install', '--cache-dir', directory], {}, user);

describe('the folder of the compile cache', () => {
  test('is made below --cache-dir, closed to others, and found again', (t) => {
    const directory = aCache(t);
    const folder = join(directory, 'node');
    assert.equal(folderFor(directory), folder);
    assert.equal(fs.statSync(folder).mode & 0o777, 0o700);
    assert.equal(folderFor(directory), folder);
  });

  test('is where the command line says last, before the environment', (t) => {
    const [first, second] = [aCache(t), aCache(t)];
    const environment = { ESPALIER_CACHE_DIR: first };
    assert.equal(compileCacheFolder(['list'], environment, uid), join(first, 'node'));
    const argv = ['list', '--cache-dir', first, `--cache-dir=${second}`];
    assert.equal(compileCacheFolder(argv, environment, uid), join(second, 'node'));
  });

  test('is not used when it is somebody else’s', (t) => {
    const directory = aCache(t);
    folderFor(directory);
    assert.equal(folderFor(directory, uid + 1), undefined);
  });

  for (const mode of [0o770, 0o701, 0o740, 0o707]) {
    test(`is not used when its mode is ${mode.toString(8)}`, (t) => {
      const directory = aCache(t);
      folderFor(directory);
      fs.chmodSync(join(directory, 'node'), mode);
      assert.equal(folderFor(directory), undefined);
    });
  }

  for (const mode of [0o770, 0o722, 0o777]) {
    test(`is neither made nor used in a directory of mode ${mode.toString(8)}`, (t) => {
      const directory = aCache(t);
      fs.chmodSync(directory, mode);
      assert.equal(folderFor(directory), undefined);
      assert.deepEqual(fs.readdirSync(directory), []);
    });
  }

  test('is not used through a link, and neither is the directory around it', (t) => {
    const [directory, target] = [aCache(t), aCache(t)];
    fs.symlinkSync(target, join(directory, 'node'));
    assert.equal(folderFor(directory), undefined);
    const link = join(target, 'link');
    fs.symlinkSync(aCache(t), link);
    assert.equal(folderFor(link), undefined);
  });

  test('is not used when a file or nothing is there', (t) => {
    const directory = aCache(t);
    fs.writeFileSync(join(directory, 'node'), '', { mode: 0o600 });
    assert.equal(folderFor(directory), undefined);
    assert.equal(folderFor(join(directory, 'absent')), undefined);
    assert.equal(folderFor(join(directory, 'node', 'below')), undefined);
    assert.equal(fs.existsSync(join(directory, 'absent')), false);
  });

  test('is not used for a relative path or a value that is not there', () => {
    assert.equal(folderFor('cache'), undefined);
    assert.equal(compileCacheFolder(['list', '--cache-dir'], {}, uid), undefined);
  });

  test('is not used with another root, which is not the user’s system', (t) => {
    const directory = aCache(t);
    const argv = ['list', '--cache-dir', directory];
    assert.equal(compileCacheFolder([...argv, '--root', '/mnt'], {}, uid), undefined);
    assert.equal(compileCacheFolder([...argv, '--root=/mnt'], {}, uid), undefined);
    assert.equal(compileCacheFolder(argv, { ESPALIER_ROOT: '/mnt' }, uid), undefined);
    assert.deepEqual(fs.readdirSync(directory), []);
  });
});
