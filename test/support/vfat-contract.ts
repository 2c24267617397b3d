/** The promises of the real disk, run where /boot is a FAT that the kernel itself mounted. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fatNamesDisk } from '../../src/disk/fat-names-disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { describeDisk, describeFat, describeFullDisk, type Ground } from './disk-contract.ts';

function emptied(): Ground {
  for (const name of readdirSync('/boot')) rmSync(join('/boot', name), { recursive: true });
  return { disk: nodeDisk(), directory: '/boot' };
}

describeDisk('vfat', emptied);
describeFullDisk('a full vfat', emptied, false);
describeFat('vfat is a FAT', emptied);

test('a copy of a read-only file is not read-only', async () => {
  const { disk } = emptied();
  writeFileSync('/tmp/read-only', 'abc', { mode: 0o444, flag: 'w' });
  await disk.copy('/tmp/read-only', '/boot/copy');
  assert.equal((disk.stat('/boot/copy')?.mode ?? 0) & 0o200, 0o200);
});

test('whatever the mount makes of case, a name leads to what is there', async () => {
  const { disk: plain } = emptied();
  const disk = fatNamesDisk(plain, ['/boot']);
  plain.makeDirectory('/boot/efi/LINUX');
  disk.makeDirectory('/boot/EFI/Linux');
  const file = await disk.create('/boot/EFI/Linux/new.efi');
  await file.write(Buffer.from('whole'));
  await file.finish();
  disk.rename('/boot/EFI/Linux/new.efi', '/boot/EFI/Linux/name.efi');
  disk.syncDirectory('/boot/EFI/Linux');
  assert.deepEqual(readdirSync('/boot'), ['efi']);
  assert.deepEqual(readdirSync('/boot/efi'), ['LINUX']);
  assert.equal(disk.read('/boot/EFI/LINUX/NAME.EFI', 99).length, 5);
  disk.remove('/boot/efi/linux/Name.efi');
  assert.deepEqual(readdirSync('/boot/efi/LINUX'), []);
});
