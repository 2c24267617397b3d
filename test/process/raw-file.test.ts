import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { openRaw } from '../../src/process/raw-file.ts';

function aPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-raw-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return join(directory, 'file');
}

describe('a raw file', () => {
  test('is overwritten where it lies, and grows where it must', (t) => {
    const path = aPath(t);
    writeFileSync(path, 'abcdef');
    {
      using file = openRaw(path, 'write');
      file.writeAt(1, new TextEncoder().encode('XY'));
      file.writeAt(8, new TextEncoder().encode('Z'));
      file.sync();
    }
    assert.equal(readFileSync(path, 'latin1'), 'aXYdef\0\0Z');
  });

  test('is read as far as it goes', (t) => {
    const path = aPath(t);
    writeFileSync(path, 'abcdef');
    using file = openRaw(path, 'read');
    assert.deepEqual([file.size, file.isDevice], [6, false]);
    assert.equal(Buffer.from(file.read(4, 100)).toString(), 'ef');
    assert.equal(file.read(100, 1).length, 0);
    const memory = new Uint8Array(4);
    assert.equal(Buffer.from(file.readInto(1, memory)).toString(), 'bcde');
    assert.equal(file.readInto(5, memory).length, 1);
  });

  test('is emptied first when it is replaced', (t) => {
    const path = aPath(t);
    writeFileSync(path, 'abcdef');
    openRaw(path, 'replace')[Symbol.dispose]();
    assert.equal(readFileSync(path).length, 0);
  });

  test('is not used after it was closed, and may be closed twice', (t) => {
    const file = openRaw(aPath(t), 'write');
    file[Symbol.dispose]();
    file[Symbol.dispose]();
    assert.throws(() => file.read(0, 1), /used after it was closed/);
    assert.throws(() => file.writeAt(0, new Uint8Array(1)), /used after it was closed/);
  });

  test('is no directory, no character device, and is there', (t) => {
    const path = aPath(t);
    assert.throws(() => openRaw(path, 'read'), { code: 'FILE_MISSING' });
    assert.throws(() => openRaw(join(path, '..'), 'read'), { code: 'FILE_MISSING' });
    assert.throws(() => openRaw('/dev/zero', 'read'), { code: 'FILE_MISSING' });
    assert.throws(() => openRaw('/dev/full', 'write'), { code: 'FILE_MISSING' });
  });
});
