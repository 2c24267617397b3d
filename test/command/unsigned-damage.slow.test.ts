/** Without a key no signature tells damage: loaders and images are held against what they are made from. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type ASection, aPe, countingBytes } from '../pe/a-pe.ts';
import { aMachine, aSystemdBoot, type Machine } from './a-machine.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';
const EFI = 'lib/systemd/boot/efi';

/** Flips one bit of a file on the ESP at an offset from the start of a text, or from that of the file. */
function flip(machine: Machine, path: string, text: string, offset = 0): void {
  const bytes = fs.readFileSync(join(machine.esp, path));
  const at = bytes.indexOf(text) + offset;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  machine.put(path, bytes);
}

const magic = (version: string): ASection => ({
  name: '.sdmagic',
  bytes: Buffer.from(`#### LoaderInfo: systemd-stub ${version} ####`),
});

/** A machine whose stub says which one it is, and has other code in every version. */
function aMachineWithStub(t: TestContext): Machine {
  const machine = aMachine(t, { generations: [{}, {}] });
  bringStub(machine, '257.9', 0);
  return machine;
}

function bringStub(machine: Machine, version: string, shift: number): void {
  const code = countingBytes(900).map((byte) => byte + shift);
  const stub = aPe({ sections: [{ name: '.text', bytes: code }, magic(version)] });
  fs.writeFileSync(join(machine.systemd, EFI, 'linuxx64.efi.stub'), stub);
}

const imageOf = (machine: Machine) =>
  machine.paths(/^EFI\/(Linux\/nixos-generation-1-|nixos\/uki-)/)[0] ?? '';

/** Code of a loader or stub: an offset behind the first bytes that count up. */
const CODE = String.fromCharCode(...Array.from({ length: 16 }, (_, at) => at));

describe('one bit of what nobody signed is found by a deep look and mended by a repair', () => {
  for (const [what, place, text, offset] of [
    ['in the code of the loader', SYSTEMD, CODE, 3],
    ['in the code of the fallback', FALLBACK, CODE, 3],
    ['in the version of the loader', SYSTEMD, 'systemd-boot ', 13],
    ['in the marker of the fallback', FALLBACK, 'LoaderInfo', 0],
    ['in the code of an image’s stub', 'image', CODE, 5],
    ['in the version of an image’s stub', 'image', 'systemd-stub ', 13],
    ['in the checksum of an image', 'image', 'PE\0\0', 4 + 20 + 64],
    ['in the code of the stub of a shared image', 'shared image', CODE, 5],
  ] as const) {
    test(what, async (t) => {
      const machine = aMachineWithStub(t);
      const format = ['--format', place === 'shared image' ? 'shared' : 'uki'];
      const verify = () => machine.run('verify', '--deep', ...format);
      await machine.run('install', ...format);
      const before = machine.tree();
      assert.equal((await verify()).status, 0);
      const path = place.endsWith('image') ? imageOf(machine) : place;
      flip(machine, path, text, offset);
      const { status, output } = await verify();
      // Every entry boots from a shared image, the default one too.
      assert.equal(status, place === 'shared image' ? 1 : 5, output);
      assert.match(
        output,
        new RegExp(
          `${path}: (a bit differs from what is made|it differs from|its bytes do not add up) `,
        ),
      );
      const repaired = await machine.run('repair', ...format);
      assert.equal(repaired.status, 0, repaired.error?.message);
      assert.deepEqual(machine.tree(), before);
      assert.equal((await verify()).status, 0);
    });
  }
});

test('both copies of the loader with a flipped bit are a machine that may not start', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  for (const path of [SYSTEMD, FALLBACK]) flip(machine, path, CODE, 3);
  assert.equal((await machine.run('verify', '--deep')).status, 1);
  await machine.run('repair');
  assert.equal((await machine.run('verify', '--deep')).status, 0);
});

test('images with an older stub, and a newer loader, are no damage', async (t) => {
  const machine = aMachineWithStub(t);
  await machine.run('install');
  bringStub(machine, '258.1', 7);
  for (const path of [SYSTEMD, FALLBACK]) machine.put(path, aSystemdBoot('300.1'));
  const before = machine.tree();
  const { status, output } = await machine.run('verify', '--deep');
  assert.equal(status, 0, output);
  assert.equal((await machine.run('repair')).status, 0);
  assert.deepEqual(machine.tree(), before);
});

test('a boot loader of somebody else stays as it is', async (t) => {
  const machine = aMachine(t);
  machine.put(FALLBACK, aPe());
  await machine.run('install');
  const before = machine.tree();
  await machine.run('repair');
  assert.deepEqual(machine.tree(), before);
});

describe('without the store a deep look finds', () => {
  for (const [what, place, status] of [
    ['a loader that differs from its copy', SYSTEMD, 5],
    // The time in the headers means nothing to firmware, and no digest covers it.
    ['an image whose checksum is that of other bytes', 'image', 1],
  ] as const) {
    test(what, async (t) => {
      const machine = aMachineWithStub(t);
      await machine.run('install', '--format', 'uki');
      fs.rmSync(machine.profiles, { recursive: true });
      const verify = () => machine.run('verify', '--deep');
      assert.equal((await verify()).status, 0);
      const image = machine.paths(/generation-2-/)[0] ?? '';
      if (place === 'image') flip(machine, image, 'PE\0\0', 8);
      else flip(machine, place, CODE, 3);
      const found = await verify();
      assert.equal(found.status, status, found.output);
    });
  }
});
