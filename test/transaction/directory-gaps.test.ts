/** Slots of a directory are taken once and given back, and nothing else changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { apply } from '../../src/transaction/apply.ts';
import { closeGaps } from '../../src/transaction/directory-gaps.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { aPlan, aSite, files, remove } from './a-site.ts';

const DIRECTORY = '/boot/EFI/Linux';
const LONG = 'nixos-generation-1-abcdefg.efi';
const there = { [`${DIRECTORY}/${LONG}`]: 'image', [`${DIRECTORY}/OTHER.TXT`]: 'other' };
/** Of 16 slots, two are for the directory and its parent, four for the long name, one for the short one. */
const SIZE = 512;
const FREE = 9;

/** Returns a disk whose directories have a size, and that notes what is done to it. */
function noting(disk: WritableDisk): { noted: WritableDisk; done: string[] } {
  const done: string[] = [];
  const all = faultyDisk(disk, Number.POSITIVE_INFINITY, new Error('never'));
  const noted: WritableDisk = {
    ...all,
    stat(path) {
      const stat = disk.stat(path);
      return stat && stat.kind === 'directory' ? { ...stat, size: SIZE } : stat;
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
