/**
 * The promises of every WritableDisk, as tests that run on the real disk and on the one in memory.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { type ErrorCode, EspError } from '../../src/error.ts';

/** A disk and an empty directory on it. */
export interface Ground {
  readonly disk: WritableDisk;
  readonly directory: string;
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Returns a check that an error is an EspError with one of these codes and names a path. */
export function withCode(path: string, ...codes: ErrorCode[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof EspError, String(error));
    assert.ok(codes.includes(error.code), `expected ${codes}, got ${error.code}: ${error.message}`);
    assert.ok(error.message.includes(path), error.message);
    return true;
  };
}

async function make(disk: WritableDisk, path: string, content: Uint8Array): Promise<void> {
  const file = await disk.create(path);
  await file.write(content);
  await file.finish();
}

/** Declares the promises of a disk. Each test asks for its own disk and directory. */
export function describeDisk(title: string, prepare: () => Ground): void {
  describe(title, () => {
    test('what does not exist is undefined, and reading it is FILE_MISSING', () => {
      const { disk, directory } = prepare();
      const path = `${directory}/none`;
      assert.equal(disk.stat(path), undefined);
      assert.equal(disk.linkStat(path), undefined);
      assert.equal(disk.list(path), undefined);
      assert.equal(disk.readLink(path), undefined);
      assert.equal(disk.realPath(path), undefined);
      assert.equal(disk.fileSystem(path), undefined);
      assert.throws(() => disk.read(path, 10), withCode(path, 'FILE_MISSING'));
      assert.throws(() => disk.open(path), withCode(path, 'FILE_MISSING'));
      assert.equal(disk.stat(`${path}/deeper`), undefined);
    });

    test('a temporary directory has a new name, and goes with all in it', async () => {
      const { disk, directory } = prepare();
      const one = disk.makeTemporary(directory, 'work-');
      const other = disk.makeTemporary(directory, 'work-');
      assert.ok(one.startsWith(`${directory}/work-`));
      assert.notEqual(one, other);
      await make(disk, `${one}/file`, bytes(1));
      disk.makeDirectory(`${one}/deeper`);
      await make(disk, `${one}/deeper/file`, bytes(2));
      disk.removeTemporary(one);
      disk.removeTemporary(one);
      assert.deepEqual(
        disk.list(directory)?.map(({ name }) => `${directory}/${name}`),
        [other],
      );
    });

    test('a file reads back what was written, in order and over what is there', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      const file = await disk.create(path);
      await file.write(bytes(1, 2, 3));
      await file.writeAt(1, bytes(9));
      await file.write(bytes(4));
      await file.finish();
      assert.deepEqual(disk.read(path, 4), bytes(1, 9, 3, 4));
      const { kind, size } = disk.stat(path) ?? {};
      assert.deepEqual({ kind, size }, { kind: 'file', size: 4 });
    });

    test('a name that is taken is not created, and what bears it stays', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1));
      await assert.rejects(disk.create(path), withCode(path, 'IO'));
      await assert.rejects(disk.copy(path, path), withCode(path, 'IO'));
      assert.deepEqual(disk.read(path, 1), bytes(1));
    });

    test('a file may be abandoned, also after it was finished', async () => {
      const { disk, directory } = prepare();
      const file = await disk.create(`${directory}/file`);
      await file.write(bytes(1));
      await file.finish();
      await file.abandon();
      await (await disk.create(`${directory}/other`)).abandon();
      assert.equal(disk.list(directory)?.length, 2);
    });

    test('a file over the limit is FILE_TOO_LARGE, at the limit it is read', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1, 2, 3));
      assert.equal(disk.read(path, 3).length, 3);
      assert.throws(() => disk.read(path, 2), withCode(path, 'FILE_TOO_LARGE'));
    });

    test('an open file gives fewer bytes where it ends, and may be closed twice', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1, 2, 3));
      const file = disk.open(path);
      assert.equal(file.size, 3);
      assert.deepEqual(file.read(1, 1), bytes(2));
      assert.deepEqual(file.read(2, 2 ** 40), bytes(3));
      assert.deepEqual(file.read(7, 1), bytes());
      file[Symbol.dispose]();
      file[Symbol.dispose]();
    });

    test('a directory is made with its parents, and making it again is no error', () => {
      const { disk, directory } = prepare();
      disk.makeDirectory(`${directory}/a/b`);
      disk.makeDirectory(`${directory}/a/b`);
      assert.deepEqual(disk.list(`${directory}/a`), [{ name: 'b', kind: 'directory' }]);
      assert.deepEqual(disk.list(`${directory}/a/b`), []);
    });

    test('a directory lists its entries by name', async () => {
      const { disk, directory } = prepare();
      for (const name of ['c', 'a', 'b']) await make(disk, `${directory}/${name}`, bytes());
      assert.deepEqual(
        disk.list(directory)?.map((entry) => entry.name),
        ['a', 'b', 'c'],
      );
    });

    test('a file is no directory and a directory is no file', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1));
      assert.equal(disk.list(path), undefined);
      assert.equal(disk.stat(`${path}/below`), undefined);
      await assert.rejects(disk.create(`${path}/below`), withCode(path, 'IO'));
      assert.throws(() => disk.makeDirectory(path), withCode(path, 'IO'));
      assert.throws(() => disk.read(directory, 10), withCode(directory, 'FILE_MISSING'));
      assert.throws(() => disk.remove(directory), withCode(directory, 'IO'));
      assert.throws(() => disk.syncDirectory(path), withCode(path, 'IO'));
    });

    test('a copy holds the same bytes under a new name', async () => {
      const { disk, directory } = prepare();
      await make(disk, `${directory}/from`, bytes(1, 2, 3));
      await disk.copy(`${directory}/from`, `${directory}/to`);
      assert.deepEqual(disk.read(`${directory}/to`, 3), bytes(1, 2, 3));
      assert.deepEqual(disk.read(`${directory}/from`, 3), bytes(1, 2, 3));
    });

    test('a copy of what does not exist leaves no target', async () => {
      const { disk, directory } = prepare();
      await assert.rejects(disk.copy(`${directory}/none`, `${directory}/to`), EspError);
      assert.deepEqual(disk.list(directory), []);
    });

    test('overwriting changes the first bytes and leaves the rest and the file itself', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1, 2, 3));
      const before = disk.stat(path)?.inode;
      await disk.overwrite(path, bytes(8, 9));
      assert.deepEqual(disk.read(path, 3), bytes(8, 9, 3));
      assert.equal(disk.stat(path)?.inode, before);
      await assert.rejects(disk.overwrite(`${directory}/none`, bytes(1)), withCode('none', 'IO'));
    });

    test('text is made, replaced whole, and nothing else is left beside it', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/text`;
      for (const text of ['a longer text, with an ü', 'short', '']) {
        await disk.replaceText(path, text);
        assert.equal(new TextDecoder().decode(disk.read(path, 100)), text);
      }
      assert.deepEqual(disk.list(directory), [{ name: 'text', kind: 'file' }]);
    });

    test('a rename moves a file, also over another one', async () => {
      const { disk, directory } = prepare();
      await make(disk, `${directory}/a`, bytes(1));
      await make(disk, `${directory}/b`, bytes(2));
      disk.rename(`${directory}/a`, `${directory}/b`);
      assert.deepEqual(disk.list(directory), [{ name: 'b', kind: 'file' }]);
      assert.deepEqual(disk.read(`${directory}/b`, 1), bytes(1));
      assert.throws(() => disk.rename(`${directory}/a`, `${directory}/c`), withCode('/a', 'IO'));
    });

    test('a file is synced where it is, and one that is not there is not', async () => {
      const { disk, directory } = prepare();
      await make(disk, `${directory}/a`, bytes(1));
      await disk.syncFile(`${directory}/a`);
      assert.deepEqual(disk.read(`${directory}/a`, 1), bytes(1));
      await assert.rejects(disk.syncFile(`${directory}/b`), withCode('/b', 'IO'));
    });

    test('removing is done once and is no error the second time', async () => {
      const { disk, directory } = prepare();
      await make(disk, `${directory}/a`, bytes(1));
      disk.remove(`${directory}/a`);
      disk.remove(`${directory}/a`);
      disk.remove(`${directory}/never/was`);
      disk.syncDirectory(directory);
      assert.deepEqual(disk.list(directory), []);
    });

    test('a path is resolved to the one without detours', async () => {
      const { disk, directory } = prepare();
      await make(disk, `${directory}/a`, bytes(1));
      assert.equal(
        disk.realPath(`${directory}/../${directory.split('/').at(-1)}/./a`),
        `${directory}/a`,
      );
    });
  });
}

/** Declares what a disk of 512 KiB promises when more is written to it. */
export function describeFullDisk(title: string, prepare: () => Ground, skip: string | false): void {
  const tooMuch = new Uint8Array(1 << 20).fill(7);
  describe(title, { skip }, () => {
    test('a blob that does not fit is refused and gets no name that matters', async () => {
      const { disk, directory } = prepare();
      const temporary = `${directory}/kernel.efi.tmp`;
      const file = await disk.create(temporary);
      await assert.rejects(file.write(tooMuch), withCode(temporary, 'ESP_FULL', 'SHORT_WRITE'));
      await file.abandon();
      assert.deepEqual(disk.list(directory), [{ name: 'kernel.efi.tmp', kind: 'file' }]);
      disk.remove(temporary);
      await make(disk, temporary, bytes(1));
    });

    test('a copy that does not fit is refused and leaves no target', async () => {
      const { disk, directory } = prepare();
      const half = `${directory}/half`;
      await make(disk, half, tooMuch.subarray(0, 300 * 1024));
      const target = `${directory}/kernel.efi`;
      await assert.rejects(disk.copy(half, target), withCode(target, 'ESP_FULL', 'SHORT_WRITE'));
      assert.deepEqual(disk.list(directory), [{ name: 'half', kind: 'file' }]);
    });

    test('text that does not fit is refused and the old text stays', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/loader.conf`;
      await disk.replaceText(path, 'timeout 5\n');
      const text = 'x'.repeat(1 << 20);
      await assert.rejects(disk.replaceText(path, text), withCode(path, 'ESP_FULL', 'SHORT_WRITE'));
      assert.equal(new TextDecoder().decode(disk.read(path, 100)), 'timeout 5\n');
      assert.deepEqual(disk.list(directory), [{ name: 'loader.conf', kind: 'file' }]);
    });

    test('the file system tells how much is left, in whole clusters', async () => {
      const { disk, directory } = prepare();
      const before = disk.fileSystem(directory);
      await make(disk, `${directory}/a`, bytes(1));
      const after = disk.fileSystem(directory);
      assert.ok(before !== undefined && after !== undefined);
      assert.ok(before.free <= before.total && before.total <= 512 * 1024);
      assert.equal(before.free - after.free, before.clusterSize);
    });
  });
}

/** Declares how FAT treats names, times and space. The model in memory must do the same. */
export function describeFat(title: string, prepare: () => Ground): void {
  describe(title, () => {
    test('case does not tell names apart, and the first spelling stays', async () => {
      const { disk, directory } = prepare();
      disk.makeDirectory(`${directory}/EFI/Linux`);
      await make(disk, `${directory}/efi/LINUX/A.efi`, bytes(1));
      assert.deepEqual(disk.read(`${directory}/EFI/linux/a.EFI`, 1), bytes(1));
      assert.deepEqual(disk.list(`${directory}/EFI/Linux`), [{ name: 'A.efi', kind: 'file' }]);
      await assert.rejects(disk.create(`${directory}/EFI/Linux/a.efi`), withCode('a.efi', 'IO'));
    });

    test('names that FAT cannot hold are refused, the dots at their end are dropped', async () => {
      const { disk, directory } = prepare();
      for (const name of ['a:b', 'a?', 'a*', 'a\\b', 'a|b', 'a"b', '<a>', '...', 'x'.repeat(256)]) {
        await assert.rejects(disk.create(`${directory}/${name}`), withCode('create', 'IO'), name);
      }
      await make(disk, `${directory}/name..`, bytes(1));
      assert.deepEqual(disk.list(directory), [{ name: 'name', kind: 'file' }]);
      await make(disk, `${directory}/a+b [1],;=~.efi`, bytes(1));
    });

    test('a file takes whole clusters, an empty one none, a directory at least one', async () => {
      const { disk, directory } = prepare();
      const clusters = (): number => {
        const { free = 0, clusterSize = 1 } = disk.fileSystem(directory) ?? {};
        return free / clusterSize;
      };
      const { clusterSize = 0, type } = disk.fileSystem(directory) ?? {};
      assert.equal(type, 0x4d44);
      const before = clusters();
      await make(disk, `${directory}/empty`, bytes());
      assert.equal(clusters(), before);
      await make(disk, `${directory}/one`, new Uint8Array(clusterSize));
      assert.equal(clusters(), before - 1);
      await make(disk, `${directory}/two`, new Uint8Array(clusterSize + 1));
      assert.equal(clusters(), before - 3);
      disk.makeDirectory(`${directory}/d`);
      assert.equal(clusters(), before - 4);
      disk.remove(`${directory}/two`);
      assert.equal(clusters(), before - 2);
    });

    test('a directory grows by a cluster when its names need one, long names sooner', async () => {
      const { disk, directory } = prepare();
      disk.makeDirectory(`${directory}/d`);
      const { clusterSize = 0, free: before = 0 } = disk.fileSystem(directory) ?? {};
      // A name of 90 characters takes 7 slots and one more; the directory itself begins with 2.
      const fitting = Math.floor((clusterSize / 32 - 2) / 8);
      const name = (index: number): string => `${directory}/d/${`${index}-`.padEnd(90, 'x')}`;
      for (let index = 0; index < fitting; index++) await make(disk, name(index), bytes());
      assert.equal(disk.fileSystem(directory)?.free, before);
      await make(disk, name(fitting), bytes());
      assert.equal(disk.fileSystem(directory)?.free, before - clusterSize);
    });

    test('times move in steps of two seconds', async () => {
      const { disk, directory } = prepare();
      const path = `${directory}/file`;
      await make(disk, path, bytes(1));
      assert.equal((disk.stat(path)?.modified ?? 1) % 2000, 0);
    });
  });
}
