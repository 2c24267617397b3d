/** Damage that only a reading of every byte finds, what mends it, and what only removes. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** Changes one byte in the middle of a file on the ESP, and neither its size nor its header. */
function flip(machine: Machine, pattern: RegExp): string {
  const [path = ''] = machine.paths(pattern);
  const full = join(machine.esp, path);
  const bytes = fs.readFileSync(full);
  const at = Math.floor(bytes.length * 0.8);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  fs.writeFileSync(full, bytes);
  return path;
}

function keysOf(machine: Machine): string[] {
  const key = join(machine.root, 'db.key');
  fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  return ['--certificate', certificatePath, '--private-key', key];
}

const verify = (machine: Machine, ...args: readonly string[]) =>
  machine.runWith({}, 'verify', ...machine.arguments(), ...args);

describe('verify', () => {
  for (const format of ['uki', 'type1']) {
    test(`an ESP that was installed is well, to the last byte: ${format}`, async (t) => {
      const machine = aMachine(t, { generations: [{}, { specialisations: { a: {} } }] });
      await machine.run('install', '--format', format);
      for (const args of [[], ['--deep']]) {
        const { status, output } = await verify(machine, ...args);
        assert.equal(output, `${machine.esp}: all is well`);
        assert.equal(status, 0);
      }
    });

    test(`an ESP that was signed is well without the key: ${format}`, async (t) => {
      const machine = aMachine(t);
      const install = ['install', ...machine.arguments(), ...keysOf(machine), '-q'];
      assert.equal((await machine.runWith({}, ...install, '--format', format)).status, 0);
      const { output } = await verify(machine, '--deep');
      assert.equal(output, `${machine.esp}: all is well`);
    });
  }

  for (const [what, format, pattern] of [
    ['an image', 'uki', /Linux\/nixos-generation-1-/],
    ['a kernel', 'type1', /nixos\/kernel-/],
    ['an initrd', 'type1', /nixos\/initrd-/],
  ] as const) {
    test(`one bit in ${what} is found by a deep look, and repaired`, async (t) => {
      const machine = aMachine(t, { generations: [{ initrd: 'x'.repeat(3000) }] });
      await machine.run('install', '--format', format);
      const before = machine.tree();
      const path = flip(machine, pattern);
      assert.equal((await verify(machine)).status, 0);
      const { status, output } = await verify(machine, '--deep');
      assert.notEqual(status, 0);
      assert.match(output, new RegExp(`${path}: its content is not what its name says`));
      const repaired = await machine.run('repair', '--format', format);
      assert.equal(repaired.status, 0, repaired.error?.message);
      assert.match(repaired.output, /1 written/);
      assert.deepEqual(machine.tree(), before);
    });
  }

  test('damage to what boots next is worse than damage to anything else', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
    await machine.run('install');
    fs.truncateSync(join(machine.esp, machine.paths(/generation-1-/)[0] ?? ''), 700);
    const older = await verify(machine);
    assert.equal(older.status, 5);
    assert.match(older.output, /^ {2}- EFI\/Linux\/nixos-generation-1-/m);
    fs.truncateSync(join(machine.esp, machine.paths(/generation-2-/)[0] ?? ''), 700);
    const next = await verify(machine);
    assert.equal(next.status, 1);
    assert.match(next.output, /^ {2}! EFI\/Linux\/nixos-generation-2-/m);
    assert.match(next.output, /espalier repair/);
  });

  test('an initrd that is cut short is found by its size, as the store has it', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'x'.repeat(3000) }] });
    await machine.run('install', '--format', 'type1');
    fs.truncateSync(join(machine.esp, machine.paths(/initrd-/)[0] ?? ''), 512);
    const { status, output } = await verify(machine, '--format', 'type1');
    assert.equal(status, 1);
    assert.match(output, /! EFI\/nixos\/initrd-.*: it has 512 bytes, expected 3000/);
  });

  test('one copy of the loader that is damaged needs a look, two are a machine that is down', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    machine.put('EFI/BOOT/BOOTX64.EFI', 'torn');
    assert.equal((await verify(machine)).status, 5);
    machine.put('EFI/systemd/systemd-bootx64.efi', 'torn');
    assert.equal((await verify(machine)).status, 1);
  });

  test('what an entry names cannot steer the terminal', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    const text = 'title x\nlinux /\u001b[2J\noptions x\n';
    machine.put(`loader/entries/nixos-generation-9-${base32(hash(text))}.conf`, text);
    const { output } = await verify(machine);
    assert.match(output, /is not there/);
    assert.doesNotMatch(output, /[^\P{C}\n]/u);
  });
});

describe('repair', () => {
  test('it adds no generation, and leaves alone what boots next', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install', machine.toplevel(1));
    machine.generations([{}, {}, {}]);
    const before = machine.tree();
    flip(machine, /generation-2-/);
    assert.equal((await machine.run('repair')).status, 0);
    assert.deepEqual(machine.tree(), before);
    assert.equal(machine.next(), 1);
  });

  for (const [what, damage] of [
    ['is gone', () => undefined],
    ['is gone and loader.conf is blank', (machine) => machine.put('loader/loader.conf', '')],
    ['is gone with loader.conf', (machine) => fs.rmSync(`${machine.esp}/loader/loader.conf`)],
  ] as const satisfies readonly [string, (machine: Machine) => void][]) {
    test(`what boots next is written anew when it ${what}`, async (t) => {
      const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
      await machine.run('install', '--format', 'type1');
      const before = machine.tree();
      fs.rmSync(join(machine.esp, machine.paths(/generation-2-/)[0] ?? ''));
      damage(machine);
      assert.notEqual((await verify(machine)).status, 0);
      await machine.run('repair', '--format', 'type1');
      assert.equal((await verify(machine, '--deep')).status, 0);
      assert.deepEqual(machine.tree(), before);
    });
  }

  test('a loader.conf that names a generation long gone names one that is there', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
    await machine.run('install', machine.toplevel(1));
    fs.rmSync(join(machine.esp, machine.paths(/generation-1-/)[0] ?? ''));
    fs.unlinkSync(machine.link(1));
    assert.equal((await verify(machine)).status, 1);
    await machine.run('repair');
    assert.equal((await verify(machine)).status, 0);
    assert.equal(machine.next(), 2);
  });

  test('it removes nothing that a deleted generation left', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    fs.unlinkSync(machine.link(1));
    await machine.run('repair');
    assert.deepEqual(machine.installed(), [1, 2]);
  });

  test('an initrd that went missing is written for the entry that names it', async (t) => {
    const machine = aMachine(t);
    await machine.run('install', '--format', 'type1');
    const before = machine.tree();
    fs.unlinkSync(join(machine.esp, machine.paths(/initrd-/)[0] ?? ''));
    await machine.run('repair', '--format', 'type1');
    assert.deepEqual(machine.tree(), before);
  });
});

test('a repair that finds no room says what it leaves damaged, and ends with 5', async (t) => {
  const generations = [{ initrd: countingBytes(90_000) }, { initrd: 'two' }];
  const machine = aMachine(t, { generations });
  await machine.run('install', '--format', 'type1');
  fs.unlinkSync(join(machine.esp, machine.paths(/initrd-/)[0] ?? ''));
  fs.unlinkSync(join(machine.esp, machine.paths(/initrd-/)[0] ?? ''));
  const used = { type: 0x4d44, clusterSize: 512, total: 1 << 20, free: 20_000 };
  const args = [...machine.arguments(), '--allow-unsigned', '--quiet', '--format', 'type1'];
  const { status } = await machine.runWith({ disk: { fileSystem: () => used } }, 'repair', ...args);
  assert.equal(status, 5);
  assert.equal(machine.paths(/initrd-/).length, 1);
});

describe('repair of an ESP that was never installed to', () => {
  test('it makes nothing boot next that is not there', async (t) => {
    const machine = aMachine(t);
    const { status } = await machine.run('repair');
    assert.equal(status, 0);
    assert.deepEqual(machine.paths(/loader\.conf|nixos-generation/), []);
  });
});

describe('gc', () => {
  test('it removes what no generation needs, and writes nothing', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
    await machine.run('install', '--format', 'type1');
    fs.unlinkSync(machine.link(1));
    machine.generations([{ initrd: 'three', number: 3 }]);
    const { status, output } = await machine.run('gc', '--format', 'type1');
    assert.equal(status, 0);
    assert.match(output, /0 written \(0 B\), 2 removed/);
    assert.deepEqual(machine.installed(), [2]);
    assert.equal(machine.paths(/initrd-/).length, 1);
    assert.equal(machine.next(), 2);
  });

  test('an entry whose successor is not there yet stays', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    const before = machine.tree();
    await machine.run('gc', '--format', 'type1');
    assert.deepEqual(machine.tree(), before);
  });

  test('what boots next stays, also where the limit would not keep it', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}, {}] });
    await machine.run('install', machine.toplevel(1));
    await machine.run('gc', '--limit', '1');
    assert.deepEqual(machine.installed(), [1, 3]);
    assert.equal(machine.next(), 1);
  });

  test('the last entry that boots stays, whatever the profiles say', async (t) => {
    const machine = aMachine(t, { generations: [{}] });
    await machine.run('install');
    machine.generations([{}, { tag: 'another' }]);
    fs.unlinkSync(machine.link(1));
    const before = machine.tree();
    await machine.run('gc');
    assert.deepEqual(machine.tree(), before);
  });
});

describe('pin', () => {
  test('a pinned generation stays beyond the limit and its deletion, until it is unpinned', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}, {}] });
    const pins = ['--pins', join(machine.root, 'pins')];
    const pinned = await machine.run('pin', '1', ...pins);
    assert.equal(pinned.status, 0, pinned.error?.message);
    assert.match(pinned.output, /pinned generation 1: .* -> .*nixos-system/);
    await machine.run('install', '--limit', '1', ...pins);
    assert.deepEqual(machine.installed(), [1, 3]);
    fs.unlinkSync(machine.link(1));
    await machine.run('install', '--limit', '1', ...pins);
    assert.deepEqual(machine.installed(), [1, 3]);
    assert.equal((await machine.run('unpin', '1', ...pins)).status, 0);
    await machine.run('install', '--limit', '1', ...pins);
    assert.deepEqual(machine.installed(), [3]);
  });

  test('what is no generation, or is not pinned, is a mistake with a hint', async (t) => {
    const machine = aMachine(t);
    const pins = ['--pins', join(machine.root, 'pins')];
    for (const [verb, operand, message] of [
      ['pin', '7', /^7: no generation that can boot/],
      ['pin', '/nix/store', /no generation that can boot/],
      ['unpin', '1', /generation 1 is not pinned/],
    ] as const) {
      const { status, error } = await machine.run(verb, operand, ...pins);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', message);
      assert.ok(error?.hint);
    }
  });
});
