/** An ESP that everyone may read, or that was not left in order, is told of with what mends it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import type { FileStat } from '../../src/disk/disk.ts';
import { disorder, exposure, fatCondition } from '../../src/esp/condition.ts';
import { espPath } from '../../src/esp/layout.ts';

/** The first sectors of a FAT with so many clusters of one sector, as mkfs.fat makes them. */
function aFat(kind: 16 | 32, difference: { dirty?: number; second?: number } = {}) {
  const bytes = new Uint8Array(2048);
  const view = new DataView(bytes.buffer);
  const [size, second] = kind === 32 ? [100_000, 0x0fffffff] : [20_000, 0xffff];
  view.setUint16(11, 512, true);
  view.setUint8(13, 1);
  view.setUint16(14, 1, true);
  view.setUint8(16, 2);
  view.setUint16(22, kind === 16 ? 80 : 0, true);
  view.setUint32(32, size, true);
  if (kind === 32) view.setUint32(36, 800, true);
  view.setUint8(kind === 32 ? 65 : 37, difference.dirty ?? 0);
  view.setUint16(510, 0xaa55, true);
  const value = difference.second ?? second;
  if (kind === 32) view.setUint32(512 + 4, value, true);
  else view.setUint16(512 + 2, value, true);
  return bytesSource(bytes);
}

for (const kind of [16, 32] as const) {
  test(`FAT${kind} says whether it was left in order`, () => {
    const clean = { isDirty: false, hasErrors: false };
    assert.deepEqual(fatCondition(aFat(kind), false), clean);
    assert.deepEqual(fatCondition(aFat(kind, { dirty: 1 }), false), { ...clean, isDirty: true });
    // While it is mounted for writing the kernel has set that bit itself.
    assert.deepEqual(fatCondition(aFat(kind, { dirty: 1 }), true), clean);
    const [unclean, broken] = kind === 32 ? [0x07ffffff, 0x0bffffff] : [0x7fff, 0xbfff];
    assert.equal(fatCondition(aFat(kind, { second: unclean }), true)?.isDirty, true);
    assert.equal(fatCondition(aFat(kind, { second: broken }), true)?.hasErrors, true);
  });
}

test('what is no FAT has no condition', () => {
  assert.equal(fatCondition(bytesSource(new Uint8Array(512)), false), undefined);
  assert.equal(fatCondition(bytesSource(new Uint8Array(10)), false), undefined);
});

test('the warning has the line of fsck.fat', () => {
  const told = disorder('/boot', '/dev/sda1', { isDirty: true, hasErrors: false });
  assert.match(told ?? '', /umount \/boot && fsck\.fat -a \/dev\/sda1/);
  assert.equal(disorder('/boot', '/dev/sda1', { isDirty: false, hasErrors: false }), undefined);
});

test('secrets that everyone may read are told, with the option of mount', () => {
  const modes = (root: number, file: number) => ({
    linkStat: (path: string) => ({ mode: path === '/boot' ? root : file }) as FileStat,
  });
  const warn = (root: number, file: number, ...paths: string[]) =>
    exposure(
      '/boot',
      paths.map((path) => espPath(path)),
      modes(root, file),
    );
  assert.match(warn(0o40755, 0o100755, 'EFI/Linux/a.efi') ?? '', /umask=0077/);
  assert.equal(warn(0o40755, 0o100755), undefined);
  assert.equal(warn(0o40755, 0o100700, 'EFI/Linux/a.efi'), undefined);
  assert.equal(warn(0o40700, 0o100755, 'EFI/Linux/a.efi'), undefined);
});
