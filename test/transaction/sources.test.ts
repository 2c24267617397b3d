/** A source is the file whose digest was taken, or nothing is made of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FileStat } from '../../src/disk/disk.ts';
import { apply } from '../../src/transaction/apply.ts';
import { requireUnchanged } from '../../src/transaction/assemble.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { aPlan, aSite, files, write } from './a-site.ts';

const SOURCE = '/nix/store/kernel';

function statOf(disk: MemoryDisk): FileStat {
  const stat = disk.stat(SOURCE);
  assert.ok(stat);
  return stat;
}

describe('a source', () => {
  const disk = new MemoryDisk({ files: { [SOURCE]: 'kernel' } });
  const stat = statOf(disk);
  const check = (before: FileStat) =>
    requireUnchanged([SOURCE], { disk, sources: new Map([[SOURCE, before]]) });

  test('that is the same passes', () => {
    check(stat);
  });

  for (const field of ['inode', 'size', 'modified', 'changed'] as const) {
    test(`of another ${field} is SOURCE_CHANGED, though all else is the same`, () => {
      assert.throws(() => check({ ...stat, [field]: stat[field] + 1 }), { code: 'SOURCE_CHANGED' });
    });
  }

  test('that is gone is SOURCE_CHANGED', () => {
    const sources = new Map([['/nix/store/gone', stat]]);
    assert.throws(() => requireUnchanged(['/nix/store/gone'], { disk, sources }), {
      code: 'SOURCE_CHANGED',
    });
  });
});

test('a source whose ctime alone changed since it was hashed is not installed', async () => {
  const { disk, site } = aSite({ files: { [SOURCE]: 'kernel' } });
  const stat = statOf(disk);
  const sources = new Map([[SOURCE, { ...stat, changed: stat.changed - 1 }]]);
  const step = write('EFI/nixos/kernel', { kind: 'file', path: SOURCE }, 6);
  await assert.rejects(apply(aPlan(['put', step]), { ...site, sources }), {
    code: 'SOURCE_CHANGED',
  });
  assert.deepEqual(files(disk), {});
});
