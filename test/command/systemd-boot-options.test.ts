/** What nixpkgs' options for systemd-boot say, in a bootspec or in settings, has its effect here too. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { aDevicetree } from '../uki/a-devicetree.ts';
import { aMachine, type Machine } from './a-machine.ts';

const DEVICETREE = aDevicetree();

/** A machine whose system has a sort key and a device tree. */
function aBoard(t: TestContext): Machine {
  const machine = aMachine(t, { generations: [] });
  const devicetree = join(machine.root, 'nix/store/board/board.dtb');
  mkdirSync(join(devicetree, '..'), { recursive: true });
  writeFileSync(devicetree, DEVICETREE);
  const extensions = { 'org.nixos.systemd-boot': { sortKey: 'board', devicetree } };
  machine.generations([{ extensions }]);
  return machine;
}

test('a device tree and a sort key are in a Type #1 entry', async (t) => {
  const machine = aBoard(t);
  assert.equal((await machine.run('install', '--format', 'type1')).status, 0);
  const entry = machine.read(machine.paths(/^loader\/entries\//)[0] ?? '');
  assert.match(entry, /^sort-key board$/m);
  const path = /^devicetree \/(EFI\/nixos\/devicetree-.*\.efi)$/m.exec(entry)?.[1] ?? '';
  assert.deepEqual(readFileSync(join(machine.esp, path)), Buffer.from(DEVICETREE));
});

test('a device tree and a sort key are in a UKI', async (t) => {
  const machine = aBoard(t);
  assert.equal((await machine.run('install')).status, 0);
  const image = readFileSync(join(machine.esp, machine.paths(/^EFI\/Linux\//)[0] ?? ''));
  const source = bytesSource(image);
  const pe = parsePe(source);
  const read = (name: string) => {
    const section = findSection(pe, name);
    return section && Buffer.from(readSection(source, section, 4096));
  };
  assert.deepEqual(read('.dtb'), Buffer.from(DEVICETREE));
  assert.match(String(read('.osrel')), /^ID=board$/m);
});

test('settings of the boot loader are written for it, and the entry that boots next beside them', async (t) => {
  const machine = aMachine(t);
  const config = join(machine.root, 'espalier.toml');
  writeFileSync(
    config,
    '[loader]\ntimeout = 3\neditor = "no"\nconsole-mode = "max"\nreboot-for-bitlocker = true\n',
  );
  assert.equal((await machine.run('install', '--config', config)).status, 0);
  const conf = machine.read('loader/loader.conf').trim().split('\n').slice(1);
  assert.match(conf[0] ?? '', /^default nixos-generation-1-/);
  assert.deepEqual(conf.slice(1), [
    'timeout 3',
    'editor no',
    'console-mode max',
    'reboot-for-bitlocker true',
  ]);
});
