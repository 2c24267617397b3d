/** Slots of a directory are taken and given back, and nothing else changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { isTemporaryName } from '../../src/esp/temporary-name.ts';
import { apply } from '../../src/transaction/apply.ts';
import { closeGaps, reserveSlots } from '../../src/transaction/directory-slots.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { aPlan, aSite, files, remove, text, write } from './a-site.ts';

const DIRECTORY = '/boot/EFI/Linux';
const LONG = 'nixos-generation-1-abcdefg.efi';
const there = { [`${DIRECTORY}/${LONG}`]: 'image', [`${DIRECTORY}/OTHER.TXT`]: 'other' };
/** Of 16 slots, two are for the directory and its parent, four for the long name, one for the short one. */
const SIZE = 512;
const FREE = 9;

/** Returns a disk whose directories have a size, and that notes what is done to it. */
function noting(disk: WritableDisk, size = SIZE): { noted: WritableDisk; done: string[] } {
  const done: string[] = [];
  const all = faultyDisk(disk, Number.POSITIVE_INFINITY, new Error('never'));
  const noted: WritableDisk = {
    ...all,
    stat(path) {
      const stat = disk.stat(path);
      return stat && stat.kind === 'directory' ? { ...stat, size } : stat;
    },
    create(path) {
      done.push('create');
      return all.create(path);
    },
    remove(path) {
      done.push('remove');
      all.remove(path);
    },
    syncDirectory(path) {
      done.push('sync');
      all.syncDirectory(path);
    },
  };
  return { noted, done };
}

const times = (count: number, what: string): string[] => Array.from({ length: count }, () => what);

describe('closing the gaps of a directory', () => {
  test('takes every free slot, gives it back, and makes that durable', async () => {
    const disk = new MemoryDisk({ files: there });
    const { noted, done } = noting(disk);
    await closeGaps(DIRECTORY, noted);
    assert.deepEqual(done, [...times(FREE, 'create'), ...times(FREE, 'remove'), 'sync']);
    disk.crash(0);
    assert.deepEqual(Object.keys(files(disk)), ['EFI/Linux/OTHER.TXT', `EFI/Linux/${LONG}`]);
  });

  test('is done again by the next run when it was killed in the middle', async () => {
    const disk = new MemoryDisk({ files: there });
    const { noted, done } = noting(disk);
    const remove = () => {
      throw new EspError('IO', 'killed');
    };
    await assert.rejects(closeGaps(DIRECTORY, { ...noted, remove }));
    const left = (disk.list(DIRECTORY) ?? []).length - Object.keys(there).length;
    assert.equal(left, FREE);
    disk.remove(`${DIRECTORY}/ESPL0003.TMP`);
    done.length = 0;
    await closeGaps(DIRECTORY, noted);
    assert.deepEqual(done, ['create', 'remove', 'sync']);
  });

  test('does nothing on another file system', async () => {
    const { noted, done } = noting(new MemoryDisk({ files: there }));
    const fileSystem = () => ({ type: 0xef53, clusterSize: 4096, free: 0, total: 0 });
    await closeGaps(DIRECTORY, { ...noted, fileSystem });
    assert.deepEqual(done, []);
  });

  test('ends where the directory would have to grow and there is no room', async () => {
    const { noted, done } = noting(new MemoryDisk({ files: there }));
    const create: WritableDisk['create'] = (path) => {
      if (done.length >= 3) throw new EspError('ESP_FULL', path);
      return noted.create(path);
    };
    await closeGaps(DIRECTORY, { ...noted, create });
    assert.deepEqual(done, [...times(3, 'create'), ...times(3, 'remove'), 'sync']);
  });

  test('comes before the sweep of what tells of them', async () => {
    const leftover = 'EFI/Linux/.espalier-1-1.tmp';
    const { disk, site } = aSite({ files: { ...there, [`/boot/${leftover}`]: 'half' } });
    const { noted, done } = noting(disk);
    const stillThere: boolean[] = [];
    const syncDirectory = (path: string) => {
      stillThere.push(disk.stat(`/boot/${leftover}`) !== undefined);
      noted.syncDirectory(path);
    };
    await apply(aPlan(['sweep', remove(leftover)]), { ...site, disk: { ...noted, syncDirectory } });
    assert.deepEqual(stillThere, [true, false]);
    assert.equal(done.at(-2), 'remove');
    assert.deepEqual(Object.keys(files(disk)), ['EFI/Linux/OTHER.TXT', `EFI/Linux/${LONG}`]);
  });
});

describe('reserving slots for a directory', () => {
  /** Of 512 slots, two are for the directory and its parent: 25 names of 20 slots, and ten of one. */
  const NAMES = 35;

  test('takes those of 16 KiB once, and gives them back', async () => {
    const disk = new MemoryDisk();
    disk.makeDirectory(DIRECTORY);
    const { noted, done } = noting(disk);
    await reserveSlots(DIRECTORY, noted);
    assert.deepEqual(done, [...times(NAMES, 'create'), ...times(NAMES, 'remove'), 'sync']);
    assert.deepEqual(files(disk), {});
  });

  test('is done again by the next run when it was killed in the middle', async () => {
    const disk = new MemoryDisk();
    disk.makeDirectory(DIRECTORY);
    const { noted, done } = noting(disk);
    const remove = () => {
      throw new EspError('IO', 'killed');
    };
    await assert.rejects(reserveSlots(DIRECTORY, { ...noted, remove }));
    const [wide] = disk.list(DIRECTORY) ?? [];
    disk.remove(`${DIRECTORY}/${wide?.name}`);
    done.length = 0;
    await reserveSlots(DIRECTORY, noted);
    assert.deepEqual(done, ['create', 'remove', 'sync']);
  });

  test('does nothing to one that is as large, and nothing on another file system', async () => {
    const large = noting(new MemoryDisk({ files: there }), 16 << 10);
    await reserveSlots(DIRECTORY, large.noted);
    const other = noting(new MemoryDisk({ files: there }));
    const fileSystem = () => ({ type: 0xef53, clusterSize: 4096, free: 0, total: 0 });
    await reserveSlots(DIRECTORY, { ...other.noted, fileSystem });
    assert.deepEqual([...large.done, ...other.done], []);
  });

  test('leaves names, when power fails, that the next run sweeps', async () => {
    const disk = new MemoryDisk();
    disk.makeDirectory(DIRECTORY);
    const { noted } = noting(disk);
    const remove = () => {
      throw new EspError('IO', 'power failed');
    };
    await assert.rejects(reserveSlots(DIRECTORY, { ...noted, remove }));
    const names = (disk.list(DIRECTORY) ?? []).map(({ name }) => name);
    assert.equal(names.length, NAMES);
    for (const name of names) assert.ok(isTemporaryName(name), name);
  });

  test('comes before what is written, where there is space to spare', async () => {
    const step = write('EFI/Linux/a.efi', text('image'));
    const plan = aPlan(['publish', step]);
    for (const [free, isReserved] of [
      [64 << 10, true],
      [(64 << 10) - 1, false],
    ] as const) {
      const { disk, site } = aSite();
      const { noted, done } = noting(disk);
      const space = { ...plan.space, free, after: free };
      await apply({ ...plan, space }, { ...site, disk: noted });
      const before = isReserved ? NAMES : 0;
      assert.equal(done.indexOf('sync'), isReserved ? 2 * NAMES : 1);
      assert.equal(done.filter((what) => what === 'create').length, before + 1);
      assert.deepEqual(files(disk), { 'EFI/Linux/a.efi': 'image' });
    }
  });
});
