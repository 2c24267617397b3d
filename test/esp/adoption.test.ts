/** What becomes ours when a run takes the place of lanzaboote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import { takeOver } from '../../src/esp/adoption.ts';
import { scanInventory } from '../../src/esp/scan-inventory.ts';
import { IMAGE_KINDS } from '../../src/plan/images.ts';
import { aPe } from '../pe/a-pe.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const id = base32(hash('something'));
const THIN = aPe({
  sections: ['.osrel', '.linux', '.linuxh'].map((name) => ({ name, bytes: Uint8Array.of(1) })),
});

function adopted(paths: readonly string[], token = 'nixos') {
  const files = Object.fromEntries(paths.map((path) => [`/boot/${path}`, THIN]));
  const disk = new MemoryDisk({ capacity: 1 << 24, files });
  return takeOver(scanInventory(disk, '/boot', token, IMAGE_KINDS), disk, '/boot', token);
}

test('images of lanzaboote are taken over with the number of their generation', () => {
  const { entries } = adopted([
    `EFI/Linux/nixos-generation-7-${id}+3.efi`,
    `EFI/Linux/nixos-generation-8-specialisation-Any thing-${id}.efi`,
    'EFI/Linux/nixos-old.efi',
    'EFI/Linux/arch.efi',
  ]);
  assert.deepEqual(
    entries.map((entry) => entry.adopted),
    [undefined, 7, 8, 0],
  );
});

test('so is every file where kernels and initrds lie, that is not ours by its name', () => {
  const { strays = [] } = adopted([
    `EFI/nixos/kernel-6.12-${id}.efi`,
    'EFI/nixos/kernel-6.12.efi',
    'EFI/nixos/.espalier-1-1.tmp',
    'EFI/nixos/.extra-files/marker',
    'EFI/Linux/nixos-half..tmp',
    'EFI/Linux/arch.txt',
  ]);
  assert.deepEqual(
    strays.map(({ path, size }) => [path, size]),
    [
      ['EFI/nixos/kernel-6.12.efi', THIN.length],
      ['EFI/Linux/nixos-half..tmp', THIN.length],
    ],
  );
});

test('another token takes over nothing of these', () => {
  const { entries, strays } = adopted(['EFI/Linux/nixos-old.efi', 'EFI/nixos/garbage'], 'lab');
  assert.deepEqual([entries.map((entry) => entry.adopted), strays], [[undefined], []]);
});
