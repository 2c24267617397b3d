/** A mount point at which something else appears ends the work: its files are not on the ESP. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileStat, WritableDisk } from '../../src/disk/disk.ts';
import { apply } from '../../src/transaction/apply.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { aPlan, aSite, files, onPhase, text, write } from './a-site.ts';

const plan = aPlan(
  ['put', write('EFI/nixos/kernel', text('kernel'))],
  ['publish', write('loader/entries/b.conf', text('b'))],
);
const GONE = { code: 'ESP_NOT_MOUNTED' };

/** A disk whose mount point is another directory once so many directories were made durable. */
function moving(disk: WritableDisk, after: number, change: Partial<FileStat>): WritableDisk {
  let synced = 0;
  const all = faultyDisk(disk, Number.POSITIVE_INFINITY, new Error('never'));
  return {
    ...all,
    stat(path) {
      const stat = disk.stat(path);
      return stat && path === '/boot' && synced >= after ? { ...stat, ...change } : stat;
    },
    syncDirectory(path) {
      all.syncDirectory(path);
      synced++;
    },
  };
}

describe('a mount point', () => {
  for (const field of ['device', 'inode'] as const) {
    test(`of another ${field} than when the plan was made is refused before the first write`, async () => {
      const { disk, site } = aSite();
      const stat = disk.stat('/boot');
      assert.ok(stat);
      const mounted = new Map([['/boot', { ...stat, [field]: stat[field] + 1 }]]);
      await assert.rejects(apply(plan, { ...site, mounted }), GONE);
      assert.deepEqual(files(disk), {});
    });

    test(`of another ${field} in the middle of the run ends it before the next phase`, async () => {
      const { disk, site } = aSite();
      const now = (disk.stat('/boot')?.[field] ?? 0) + 1;
      const started: string[] = [];
      const progress = onPhase((name) => started.push(name));
      const elsewhere = moving(disk, 1, { [field]: now });
      await assert.rejects(apply(plan, { ...site, disk: elsewhere, progress }), GONE);
      assert.deepEqual(started, ['put']);
      assert.deepEqual(Object.keys(files(disk)), ['EFI/nixos/kernel']);
    });
  }

  test('of another inode in the middle of the last phase is told', async () => {
    const { disk, site } = aSite();
    const inode = (disk.stat('/boot')?.inode ?? 0) + 1;
    const last = aPlan(['put', write('EFI/nixos/kernel', text('kernel'))]);
    const elsewhere = moving(disk, 1, { inode });
    await assert.rejects(apply(last, { ...site, disk: elsewhere }), GONE);
  });

  test('of another partition that the plan also reads is watched as well', async () => {
    const { disk, site } = aSite({ second: '/xbootldr' });
    const [esp, other] = ['/boot', '/xbootldr'].map((path) => disk.stat(path));
    assert.ok(esp && other);
    const mounted = new Map([
      ['/boot', esp],
      ['/xbootldr', { ...other, inode: other.inode + 1 }],
    ]);
    await assert.rejects(apply(plan, { ...site, mounted }), GONE);
    assert.deepEqual(files(disk), {});
  });
});
