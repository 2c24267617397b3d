/** Damage that a torture run found called well: every look tells it, and a run heals it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, aSystemdBoot, type Machine } from './a-machine.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';

const unsigned = ['--allow-unsigned'] as const;

function keysOf(machine: Machine): string[] {
  const key = join(machine.root, 'db.key');
  fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  return ['--certificate', certificatePath, '--private-key', key];
}

const runner =
  (machine: Machine, more: readonly string[]) =>
  (verb: string, ...args: readonly string[]) =>
    machine.runWith({}, verb, ...args, ...machine.arguments(), ...more, '--quiet');

/** A machine with a loader of a real size, installed. */
async function installed(t: TestContext, format = 'uki', isSigned = false) {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  const loader = join(machine.systemd, 'lib/systemd/boot/efi/systemd-bootx64.efi');
  const code = { name: '.code', bytes: countingBytes(20_000) };
  fs.writeFileSync(loader, aSystemdBoot('257.9', code));
  const more = isSigned ? [...keysOf(machine), '--sign-kernels'] : unsigned;
  const run = runner(machine, [...more, '--format', format]);
  assert.equal((await run('install')).status, 0);
  return { machine, run, before: machine.tree() };
}

function change(machine: Machine, path: string, edit: (bytes: Buffer) => Uint8Array): void {
  machine.put(path, edit(fs.readFileSync(join(machine.esp, path))));
}

const appended = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(512)]);

test('bytes behind the end of an image are told and healed: firmware hashes them', async (t) => {
  for (const isSigned of [false, true]) {
    const { machine, run, before } = await installed(t, 'uki', isSigned);
    change(machine, machine.paths(/generation-2-/)[0] ?? '', appended);
    const { status, output } = await run('verify');
    assert.equal(status, 1);
    assert.match(output, /512 bytes lie behind its end/);
    assert.equal((await run('status')).status, 5);
    assert.equal((await run('install')).status, 0);
    assert.deepEqual(machine.tree(), before);
  }
});

test('a kernel under the name of an image is no image', async (t) => {
  const { machine, run, before } = await installed(t);
  machine.put(machine.paths(/generation-2-/)[0] ?? '', aKernel());
  const { status, output } = await run('verify');
  assert.equal(status, 1);
  assert.match(output, /it has no section \.linux/);
  await run('install');
  assert.deepEqual(machine.tree(), before);
});

describe('zeroed bytes of a signature behind the certificate', () => {
  for (const [what, format, pattern] of [
    ['of an image', 'uki', /generation-2-/],
    ['of a kernel', 'type1', /kernel-/],
  ] as const) {
    test(`${what} are told by a look at headers`, async (t) => {
      const { machine, run } = await installed(t, format, true);
      const path = machine.paths(pattern)[0] ?? '';
      change(machine, path, (bytes) => bytes.fill(0, bytes.length - 100));
      const { status, output } = await run('verify');
      assert.equal(status, 5);
      assert.match(output, new RegExp(`${path}: it does not carry a whole signature`));
    });
  }
});

describe('a loader', () => {
  test('that is another program under systemd’s name is told; with the fallback’s, nothing starts', async (t) => {
    const { machine, run, before } = await installed(t);
    machine.put(SYSTEMD, aKernel());
    assert.match((await run('verify')).output, /it is not systemd-boot, under a name that is/);
    assert.equal((await run('verify')).status, 5);
    machine.put(FALLBACK, aKernel());
    assert.equal((await run('verify')).status, 1);
    machine.put(
      FALLBACK,
      fs.readFileSync(join(machine.systemd, 'lib/systemd/boot/efi/systemd-bootx64.efi')),
    );
    await run('install');
    assert.deepEqual(machine.tree(), before);
  });

  test('whose marker is damaged is no other system’s: it is healed', async (t) => {
    const { machine, run, before } = await installed(t);
    change(machine, FALLBACK, (bytes) =>
      bytes.fill(0, bytes.indexOf('LoaderInfo'), bytes.indexOf('LoaderInfo') + 40),
    );
    const { status, output } = await run('verify');
    assert.equal(status, 5);
    assert.match(output, /it differs from EFI\/systemd\/.* in 1 of \d+ sectors/);
    assert.equal((await run('install')).status, 0);
    assert.deepEqual(machine.tree(), before);
  });

  test('of another system, where firmware does not tell its entries, is told as such', async (t) => {
    const { machine, run } = await installed(t);
    machine.put(FALLBACK, aKernel('another system'));
    assert.match((await run('verify')).output, /another system’s: firmware starts it, unless/);
    assert.match(
      (await run('status')).output,
      /another\s+system’s:\s+firmware\s+starts\s+it,\s+unless/,
    );
  });

  test('for another processor is told, and both are a machine that does not start', async (t) => {
    const { machine, run, before } = await installed(t);
    const loader = fs.readFileSync(join(machine.esp, SYSTEMD));
    loader.writeUInt16LE(0xaa64, loader.readUInt32LE(0x3c) + 4);
    machine.put(FALLBACK, loader);
    assert.match((await run('verify')).output, /BOOTX64\.EFI: it is for another processor/);
    machine.put(SYSTEMD, loader);
    assert.equal((await run('verify')).status, 1);
    await run('install');
    assert.deepEqual(machine.tree(), before);
  });

  test('that is longer than the one of its version is found by a deep look', async (t) => {
    const { machine, run, before } = await installed(t);
    change(machine, FALLBACK, appended);
    assert.match((await run('verify', '--deep')).output, /and .* of the same version has/);
    assert.equal((await run('repair')).status, 0);
    assert.deepEqual(machine.tree(), before);
  });
});

describe('a directory in the place of a file', () => {
  for (const path of [SYSTEMD, FALLBACK, 'loader/entries.srel']) {
    test(`keeps no generation from being installed, where the machine starts without it: ${path}`, async (t) => {
      const { machine, run } = await installed(t);
      fs.rmSync(join(machine.esp, path));
      fs.mkdirSync(join(machine.esp, path));
      machine.generations([{ initrd: 'one' }, { initrd: 'two' }, { initrd: 'three' }]);
      assert.match((await run('verify')).output, /it is a directory.*move it away/);
      const { status, output } = await run('install', '--json');
      assert.equal(status, 5);
      assert.match(output, /is a directory/);
      assert.deepEqual(machine.installed(), [1, 2, 3]);
    });
  }

  test('is refused where both copies of the loader are one', async (t) => {
    const { machine, run } = await installed(t);
    for (const path of [SYSTEMD, FALLBACK]) {
      fs.rmSync(join(machine.esp, path));
      fs.mkdirSync(join(machine.esp, path));
    }
    assert.equal((await run('install')).error?.code, 'FOREIGN_LAYOUT');
    assert.equal((await run('verify')).status, 1);
  });

  test('costs the generation that needs the file, and is told by every verb', async (t) => {
    const { machine, run } = await installed(t);
    const path = machine.paths(/generation-1-/)[0] ?? '';
    fs.rmSync(join(machine.esp, path));
    fs.mkdirSync(join(machine.esp, path));
    machine.generations([{ initrd: 'one' }, { initrd: 'two' }, { initrd: 'three' }]);
    assert.match(
      (await run('verify')).output,
      /it is a directory, and a file of ours should be here/,
    );
    assert.match(
      (await run('status')).output,
      /it is a directory,\s+and a file of ours should be here: move it away\n +-/,
    );
    assert.equal((await run('install')).status, 5);
    assert.deepEqual(machine.installed(), [2, 3]);
  });

  test('is refused when it is that of what boots next', async (t) => {
    const { machine, run } = await installed(t);
    const path = machine.paths(/generation-2-/)[0] ?? '';
    fs.rmSync(join(machine.esp, path));
    fs.mkdirSync(join(machine.esp, path));
    assert.equal((await run('install')).error?.code, 'FOREIGN_LAYOUT');
  });
});
