/** Files that entries name are found as FAT compares names, and a crowd of names costs few listings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import { lookupOn } from '../../src/esp/lookup.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

function aDisk() {
  const disk = new MemoryDisk({ mount: '/boot', clusterSize: 4096, capacity: 1024 * 4096 });
  disk.plant('/boot/EFI/Linux/A.efi', 'x');
  disk.plant('/secret', 'x');
  return disk;
}

test('a name leads to what is there in any case, by any spelling of its path', () => {
  const kindOf = lookupOn(aDisk(), '/boot');
  for (const path of ['EFI/Linux/A.efi', 'efi/LINUX/a.EFI', 'EFI//./Linux/x/../A.efi']) {
    assert.equal(kindOf(espPath(path)), 'file', path);
  }
  assert.equal(kindOf(espPath('efi/linux')), 'directory');
});

test('what is not there, is below a file, or leads out of the root is not found', () => {
  const kindOf = lookupOn(aDisk(), '/boot');
  for (const path of [
    'EFI/B.efi',
    'x/y',
    'EFI/Linux/A.efi/b',
    '../secret',
    'EFI/../../secret',
    '',
  ]) {
    assert.equal(kindOf(espPath(path)), undefined, path);
  }
});

test('a thousand names list each directory that is there once', () => {
  const disk = aDisk();
  const listed: string[] = [];
  const counting = Object.assign(Object.create(disk), {
    list: (path: string) => {
      listed.push(path);
      return disk.list(path);
    },
  });
  const kindOf = lookupOn(counting, '/boot');
  for (let at = 0; at < 1000; at++) {
    for (const path of [`x${at}`, `efi/x${at}`, `d${at}/x`]) kindOf(espPath(path));
  }
  assert.deepEqual(listed, ['/boot', '/boot/EFI']);
});
