/** What `lzbt-systemd` does about the boot loader and its settings. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { aSystemdBoot, type Machine } from '../command/a-machine.ts';
import { missingTools } from '../lab/tools.ts';
import { certificatePath } from '../signer/test-key.ts';
import { age, anLzbtMachine, LOADER_CONF } from './a-lzbt.ts';

const missing = missingTools(['sbsigntool']);
const withSbverify = { skip: missing.length > 0 && `needs ${missing}` };

const COPIES = ['EFI/BOOT/BOOTX64.EFI', 'EFI/systemd/systemd-bootx64.efi'];

function isOld(machine: Machine, path: string): boolean {
  return statSync(join(machine.esp, path)).mtimeMs < 2000;
}

function isSigned(machine: Machine, path: string): boolean {
  const args = ['--cert', certificatePath, join(machine.esp, path)];
  return spawnSync('sbverify', args).status === 0;
}

describe('the boot loader', () => {
  test('stays as it is when it is whole and signed', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    await install();
    assert.deepEqual(machine.paths(/^EFI\/(BOOT|systemd)\//), COPIES);
    age(machine);
    assert.equal((await install()).status, 0);
    for (const path of COPIES) assert.ok(isOld(machine, path), path);
  });

  test('is replaced where it is damaged, in both places', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    await install();
    const whole = machine.tree();
    for (const path of COPIES) truncateSync(join(machine.esp, path), 0);
    assert.equal((await install()).status, 0);
    assert.deepEqual(machine.tree(), whole);
  });

  test('is replaced where it is not signed', withSbverify, async (t) => {
    const { machine, install } = anLzbtMachine(t);
    for (const path of COPIES) machine.put(path, aSystemdBoot('257.9'));
    assert.equal((await install()).status, 0);
    for (const path of COPIES) assert.ok(isSigned(machine, path), path);
  });

  test('of Debian is updated, whatever its version looks like', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    machine.brings('257.13-1~deb13u1');
    assert.equal((await install()).status, 0);
    assert.equal((await install()).status, 0);
    age(machine);
    machine.brings('258.1-1~deb14u1');
    assert.equal((await install()).status, 0);
    for (const path of COPIES) assert.ok(!isOld(machine, path), path);
  });

  test('is not replaced by an older one', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    await install();
    age(machine);
    machine.brings('256.1');
    assert.equal((await install()).status, 0);
    for (const path of COPIES) assert.ok(isOld(machine, path), path);
  });
});

describe('loader.conf', () => {
  const settings = (machine: Machine) =>
    machine
      .read('loader/loader.conf')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));

  test('has the settings of the file, its default among them, in one sector', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    assert.equal((await install()).status, 0);
    assert.deepEqual(settings(machine), LOADER_CONF.trim().split('\n'));
    assert.equal(machine.read('loader/loader.conf').length, 512);
  });

  test('follows the file', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    await install();
    writeFileSync(join(machine.root, 'loader.conf'), 'timeout 0\ndefault @saved\n');
    assert.equal((await install()).status, 0);
    assert.deepEqual(settings(machine), ['timeout 0', 'default @saved']);
  });

  test('has no default where the file has none', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    writeFileSync(join(machine.root, 'loader.conf'), 'timeout 0\n');
    assert.equal((await install()).status, 0);
    assert.deepEqual(settings(machine), ['timeout 0']);
  });
});
