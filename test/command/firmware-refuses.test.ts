/** What firmware would not start is told by every look, and another system boots in its place. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Guid } from '../../src/guid.ts';
import { IMAGE_SHA256 } from '../../src/secureboot/forbidden.ts';
import { IMAGE_SECURITY_DATABASE } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, aSystemdBoot, type Machine } from './a-machine.ts';

const OWNER = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';

/** Has firmware hold these bytes of lists. */
function holds(machine: Machine, name: 'db' | 'dbx', type: Guid, data: Uint8Array): void {
  const lists = formatSignatureLists([{ type, owner: OWNER, data }]);
  const path = join(machine.efivars, `${name}-${IMAGE_SECURITY_DATABASE}`);
  fs.writeFileSync(path, Buffer.concat([Buffer.alloc(4), lists]));
}

function enforces(machine: Machine): void {
  holds(machine, 'db', X509, certificateDer);
  machine.variable('SecureBoot', 'global', Uint8Array.of(1));
}

/** Has dbx name the program at a path of the ESP. */
async function bans(machine: Machine, path: string): Promise<void> {
  const { output } = await machine.runWith({}, 'verify', '--json', join(machine.esp, path));
  const [, digest = ''] = /"sha256": "([0-9a-f]{64})"/.exec(output) ?? [];
  holds(machine, 'dbx', IMAGE_SHA256, Uint8Array.from(Buffer.from(digest, 'hex')));
}

/** A machine with signed generations, whose firmware enforces Secure Boot. */
async function enforcing(t: TestContext, count: number, ...more: readonly string[]) {
  const machine = aMachine(t, {
    generations: Array.from({ length: count }, (_, at) => ({ initrd: `initrd ${at}` })),
  });
  const key = join(machine.root, 'db.key');
  fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  const pair = ['--certificate', certificatePath, '--private-key', key, '--quiet', ...more];
  const run = (verb: string, ...args: readonly string[]) =>
    machine.runWith({}, verb, ...machine.arguments(), ...pair, ...args);
  assert.equal((await run('install')).status, 0);
  enforces(machine);
  assert.equal((await run('status')).status, 0);
  return { machine, run };
}

describe('a program whose digest is in dbx', () => {
  test('boots next no more: the newest other one does, and all say so', async (t) => {
    const { machine, run } = await enforcing(t, 2);
    await bans(machine, machine.paths(/generation-2-/)[0] ?? '');
    assert.equal((await run('verify')).status, 1);
    const said = await run('status', '--json');
    assert.equal(said.status, 5);
    assert.match(said.output, /"nextProblem": "dbx has its digest/);
    assert.equal((await run('install')).status, 5);
    assert.equal(machine.next(), 1);
    assert.match((await run('install')).output, /nothing to do/);
  });

  for (const [format, pattern] of [
    ['uki', /^EFI\/Linux\//],
    ['type1', /kernel-/],
  ] as const) {
    test(`leaves nothing to boot: refused, and nothing is touched (${format})`, async (t) => {
      const { machine, run } = await enforcing(t, 1, '--format', format, '--sign-kernels');
      await bans(machine, machine.paths(pattern)[0] ?? '');
      const before = machine.tree();
      const { status, error } = await run('install');
      assert.deepEqual([status, error?.code], [3, 'SECURE_BOOT_UNTRUSTED']);
      assert.match(error?.message ?? '', /dbx has its digest/);
      assert.deepEqual(machine.tree(), before);
    });
  }

  test('is a kernel that a new entry would name: that is refused too', async (t) => {
    const { machine, run } = await enforcing(t, 1, '--format', 'type1', '--sign-kernels');
    await bans(machine, machine.paths(/kernel-/)[0] ?? '');
    machine.generations([{ initrd: 'initrd 0' }, { initrd: 'initrd 1' }]);
    assert.equal((await run('install')).status, 3);
  });

  test('is the boot loader: no copy starts, and the same one is not written again', async (t) => {
    const { machine, run } = await enforcing(t, 1);
    await bans(machine, SYSTEMD);
    assert.equal((await run('verify')).status, 1);
    assert.match((await run('status', '--json')).output, /no copy of our boot loader starts/);
    const { status, error } = await run('install');
    assert.equal(status, 3);
    assert.match(error?.message ?? '', /dbx has the digest of this systemd-boot 257\.9/);
    machine.brings('258');
    assert.equal((await run('install')).status, 0);
    assert.equal((await run('verify')).status, 0);
  });
});

describe('Secure Boot without a certificate in the settings', () => {
  test('refuses what nobody signed, and status and verify tell it', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    enforces(machine);
    const verified = await machine.run('verify');
    assert.equal(verified.status, 1);
    assert.match(verified.output, /Linux\/.*: it carries no signature that firmware .* takes/);
    const { status, output } = await machine.runWith(
      {},
      'status',
      '--json',
      ...machine.arguments(),
    );
    assert.equal(status, 5);
    assert.match(output, /"nextProblem": "no copy of our boot loader starts/);
  });

  test('takes what db knows', async (t) => {
    const { machine } = await enforcing(t, 1);
    assert.equal((await machine.run('verify')).status, 0);
  });
});

describe('damage to the two numbers by which firmware takes a program', () => {
  const fields = { processor: [4, 0xaa64], subsystem: [24 + 68, 3] } as const;
  /** Sets a number in the headers of a program on the ESP. */
  function set(machine: Machine, path: string, [at, value]: readonly [number, number]): void {
    const bytes = fs.readFileSync(join(machine.esp, path));
    bytes.writeUInt16LE(value, bytes.readUInt32LE(0x3c) + at);
    machine.put(path, bytes);
  }

  for (const [what, field] of Object.entries(fields)) {
    for (const [format, pattern] of [
      ['uki', /^EFI\/Linux\//],
      ['type1', /kernel-/],
    ] as const) {
      test(`is told by a look at headers and healed: ${what}, ${format}`, async (t) => {
        const machine = aMachine(t);
        const run = (verb: string) => machine.run(verb, '--format', format);
        await run('install');
        const before = machine.tree();
        set(machine, machine.paths(pattern)[0] ?? '', field);
        assert.equal((await run('verify')).status, 1);
        assert.equal((await run('status')).status, 5);
        assert.equal((await run('install')).status, 0);
        assert.deepEqual(machine.tree(), before);
      });
    }

    test(`is told of loaders: ${what}`, async (t) => {
      const machine = aMachine(t);
      await machine.run('install');
      for (const path of [SYSTEMD, FALLBACK]) set(machine, path, field);
      assert.equal((await machine.run('verify')).status, 1);
    });
  }

  test('has the copy that does not start written first', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    machine.put(SYSTEMD, aSystemdBoot('250'));
    set(machine, FALLBACK, fields.processor);
    const { output } = await machine.run('plan');
    assert.ok(output.indexOf(FALLBACK) < output.indexOf(SYSTEMD), output);
  });

  test('is another machine’s own affair', async (t) => {
    const other = aMachine(t, { generations: [{ tag: 'other' }] });
    await other.run('install', '--format', 'type1');
    const [kernel = ''] = other.paths(/kernel-/);
    set(other, kernel, fields.processor);
    const machine = aMachine(t, { generations: [{ tag: 'own', kernel: aKernel('own') }] });
    const [, , ...own] = machine.arguments();
    const args = ['--esp', other.esp, ...own, '--allow-unsigned', '--quiet'];
    const run = () => machine.runWith({}, 'install', ...args, '--format', 'type1');
    assert.equal((await run()).status, 5);
    assert.equal(other.paths(/entries\/nixos-/).length, 2);
  });
});
