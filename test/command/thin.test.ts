/** Entries of format thin under every verb, and changes from and to the other formats. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aKernel, aMachine, type Machine, type MachineShape } from './a-machine.ts';

const SIGNED = ['--allow-insecure-key', '--certificate', certificatePath];

/** A machine and the arguments that give it thin entries. */
function aThinMachine(t: TestContext, shape?: MachineShape) {
  const machine = aMachine(t, shape);
  const stub = join(machine.root, 'stub.efi');
  writeFileSync(stub, aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] }));
  return { machine, thin: ['--format', 'thin', '--stub', stub] };
}

const IMAGE = /^EFI\/Linux\//;

function tamper(machine: Machine, pattern: RegExp, change: (bytes: Buffer) => void): string {
  const [path = ''] = machine.paths(pattern);
  const bytes = readFileSync(join(machine.esp, path));
  change(bytes);
  writeFileSync(join(machine.esp, path), bytes);
  return path;
}

/** Changes the last byte, of which no header tells. */
const lastByte = (bytes: Buffer) =>
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);

/** Changes a byte of the code of the stub, which the name of an image does not tell of. */
const stubByte = (bytes: Buffer) => {
  const at = parsePe(bytesSource(bytes)).sections[0]?.pointerToRawData ?? 0;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
};

describe('format thin', () => {
  test('installs, has nothing to do the second time, and boots what it should next', async (t) => {
    const { machine, thin } = aThinMachine(t, { generations: [{}, {}] });
    assert.equal((await machine.run('install', ...thin)).status, 0);
    assert.deepEqual(machine.installed(), [1, 2]);
    assert.equal(machine.next(), 2);
    assert.match((await machine.run('install', ...thin)).output, /nothing to do/);
    assert.equal((await machine.run('verify', '--deep')).status, 0);
  });

  test('is small beside a UKI, and listed with what it names', async (t) => {
    const { machine, thin } = aThinMachine(t, {
      generations: [{ initrd: new Uint8Array(3_000_000) }, { initrd: new Uint8Array(3_000_000) }],
    });
    await machine.run('install', ...thin);
    for (const path of machine.paths(IMAGE)) {
      assert.ok(readFileSync(join(machine.esp, path)).length < 20_000, path);
    }
    const { output } = await machine.run('list', '--json');
    const [{ entries }] = JSON.parse(output).esps;
    for (const { size, damage } of entries) {
      assert.ok(size > 3_000_000);
      assert.equal(damage, undefined);
    }
  });

  test('has no stub of its own: without one, nothing is touched', async (t) => {
    const { machine } = aThinMachine(t);
    const ran = await machine.run('install', '--format', 'thin');
    assert.deepEqual([ran.status, ran.error?.code], [2, 'CONFIG_INVALID']);
    assert.match(ran.error?.message ?? '', /stub/);
    assert.deepEqual(machine.tree(), {});
  });

  test('warns of the stub of systemd, which would start none of its images', async (t) => {
    const { machine } = aThinMachine(t);
    const text = '#### LoaderInfo: systemd-stub 257 ####';
    const marker = { name: '.sdmagic', bytes: new TextEncoder().encode(text) };
    const stub = join(machine.root, 'linuxx64.efi.stub');
    writeFileSync(stub, aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }, marker] }));
    const args = ['--format', 'thin', '--stub', stub, '--json'];
    const { status, output } = await machine.run('install', ...args);
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings.join(), /none of them would start/);
  });

  test('refuses a kernel that is no EFI program, as its stub would', async (t) => {
    const { machine, thin } = aThinMachine(t, { generations: [{ kernel: 'not a program' }] });
    const { status, error } = await machine.run('install', ...thin);
    assert.deepEqual([status, error?.code], [1, 'TARGET_BROKEN']);
  });
});

describe('a change of format', () => {
  for (const format of ['uki', 'type1']) {
    test(`from ${format} to thin and back leaves nothing behind`, async (t) => {
      const { machine, thin } = aThinMachine(t, { generations: [{}, {}] });
      await machine.run('install', '--format', format);
      const before = machine.tree();
      assert.equal((await machine.run('install', ...thin)).status, 0);
      assert.deepEqual(machine.installed(), [1, 2]);
      assert.equal(machine.paths(IMAGE).length, 2);
      assert.equal(machine.paths(/^loader\/entries\//).length, 0);
      assert.equal((await machine.run('install', '--format', format)).status, 0);
      assert.deepEqual(machine.tree(), before);
    });
  }

  test('writes no kernel and no initrd between thin and an unsigned Type #1', async (t) => {
    const { machine, thin } = aThinMachine(t);
    await machine.run('install', '--format', 'type1');
    const { output } = await machine.run('plan', '--json', ...thin);
    const [{ plan }] = JSON.parse(output).esps;
    const names = plan.phases.map(({ name }: { name: string }) => name);
    assert.ok(names.includes('publish') && !names.includes('put'), names.join());
  });
});

describe('damage', () => {
  const damages: readonly (readonly [string, RegExp, (bytes: Buffer) => void])[] = [
    ['a changed initrd', /initrd-/, lastByte],
    ['a changed kernel', /kernel-/, lastByte],
    ['a changed stub in a signed image', IMAGE, stubByte],
  ];
  for (const [what, pattern, change] of damages) {
    test(`${what} is found by a deep look, and repaired`, async (t) => {
      const { machine, thin } = aThinMachine(t);
      const args = [...machine.arguments(), ...SIGNED, '--private-key', privateKeyPath, '--quiet'];
      const run = (verb: string, ...more: readonly string[]) =>
        machine.runWith({}, verb, ...args, ...thin, ...more);
      assert.equal((await run('install')).status, 0);
      const whole = machine.tree();
      const path = tamper(machine, pattern, change);
      const { output, status } = await run('verify', '--deep');
      assert.notEqual(status, 0);
      assert.match(output, new RegExp(path.replaceAll('.', '\\.')));
      assert.equal((await run('repair')).status, 0);
      assert.deepEqual(machine.tree(), whole);
    });
  }

  test('a kernel that is gone is told with the entries that name it', async (t) => {
    const { machine, thin } = aThinMachine(t);
    await machine.run('install', ...thin);
    const [kernel = ''] = machine.paths(/kernel-/);
    const whole = machine.tree();
    writeFileSync(join(machine.esp, kernel), '');
    const { output } = await machine.run('list');
    assert.match(output, /damaged: it names EFI\/nixos\/kernel-/);
    await machine.run('install', ...thin);
    assert.deepEqual(machine.tree(), whole);
  });
});

test('a collection keeps what a thin image names, and removes what none names any more', async (t) => {
  const { machine, thin } = aThinMachine(t, {
    generations: [{ kernel: aKernel('old') }, {}, {}],
  });
  await machine.run('install', ...thin);
  assert.equal(machine.paths(/kernel-/).length, 2);
  assert.equal((await machine.run('gc', ...thin, '--limit', '2')).status, 0);
  assert.deepEqual(machine.installed(), [2, 3]);
  assert.equal(machine.paths(/kernel-/).length, 1);
  assert.equal((await machine.run('verify', '--deep')).status, 0);
});
