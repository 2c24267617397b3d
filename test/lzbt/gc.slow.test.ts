/** Which files `lzbt-systemd` removes, and which it leaves alone. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { aKernel } from '../command/a-machine.ts';
import { anLzbtMachine } from './a-lzbt.ts';

const GENERATION = { specialisations: { rescue: {} } };

test('only as many generations stay as the limit allows, and their kernels', async (t) => {
  const { machine, install } = anLzbtMachine(t, [
    { ...GENERATION, kernel: aKernel('old') },
    GENERATION,
    GENERATION,
  ]);
  assert.equal((await install(0)).status, 0);
  assert.equal(machine.paths(/^EFI\/Linux\//).length, 6);
  assert.equal(machine.paths(/^EFI\/nixos\//).length, 3);
  assert.equal((await install(2)).status, 0);
  assert.deepEqual(machine.installed(), [2, 3]);
  assert.equal(machine.paths(/^EFI\/Linux\//).length, 4);
  assert.equal(machine.paths(/^EFI\/nixos\//).length, 2);
});

test('without a limit on the command line, the newest generation stays', async (t) => {
  const { machine, run, options, links } = anLzbtMachine(t, [{}, {}, {}]);
  assert.equal((await run('-q', 'install', ...options, machine.esp, ...links())).status, 0);
  assert.deepEqual(machine.installed(), [3]);
});

test('the limit counts from the newest, in whatever order the links are given', async (t) => {
  const { machine, run, options } = anLzbtMachine(t, [{ number: 9 }, { number: 10 }]);
  const links = [machine.link(10), machine.link(9)];
  assert.equal((await run('-q', 'install', ...options, machine.esp, ...links)).status, 0);
  assert.deepEqual(machine.installed(), [10]);
});

test('the running system stays, whatever the limit is', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{}, {}, {}]);
  machine.boots(1);
  assert.equal((await install(1)).status, 0);
  assert.deepEqual(machine.installed(), [1, 3]);
});

test('what nothing names is removed where lanzaboote is at home', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  const garbage = [
    'EFI/nixos/kernel-garbage.efi',
    'EFI/nixos/notes.txt',
    'EFI/Linux/nixos-old.efi',
    'EFI/Linux/nixos-generation-1-half..tmp',
  ];
  for (const path of garbage) machine.put(path, 'garbage');
  assert.equal((await install()).status, 0);
  assert.deepEqual(
    Object.keys(machine.tree()).filter((path) => garbage.includes(path)),
    [],
  );
});

test('what belongs to others stays', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{}, {}]);
  const theirs = [
    'EFI/Linux/ubuntu.efi',
    'EFI/Microsoft/Boot/bootmgfw.efi',
    'dell/firmware.cap',
    'loader/random-seed',
    'loader/entries/arch.conf',
  ];
  for (const path of theirs) machine.put(path, 'theirs');
  const before = machine.tree();
  assert.equal((await install()).status, 0);
  assert.equal((await install(1)).status, 0);
  const after = machine.tree();
  for (const path of theirs) assert.equal(after[path], before[path], path);
});

test('a kernel that an entry of another names stays, where lanzaboote would take it away', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  machine.put('EFI/nixos/0c1d-linux-6.12-bzImage.efi', aKernel());
  machine.put(
    'loader/entries/other.conf',
    'title Other\nlinux /EFI/nixos/0c1d-linux-6.12-bzImage.efi\n',
  );
  assert.equal((await install()).status, 0);
  assert.equal(machine.paths(/0c1d-linux/).length, 1);
});

test('a broken generation keeps what it has; the rest is still tidied up', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{}, {}, {}]);
  assert.equal((await install()).status, 0);
  writeFileSync(join(machine.toplevel(1), 'boot.json'), '{');
  rmSync(machine.link(2));
  machine.put('EFI/nixos/kernel-garbage.efi', 'garbage');
  assert.equal((await install()).status, 0);
  assert.deepEqual(machine.installed(), [1, 3]);
  assert.deepEqual(machine.paths(/garbage/), []);
});
