/** Nothing that does not start is called done: what firmware, loader and kernel have to take is asked. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Guid } from '../../src/guid.ts';
import { IMAGE_SECURITY_DATABASE, KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';

/** Returns a program that says that it is for another processor (PE/COFF §Machine Types). */
function forArm64(program: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(program);
  const view = new DataView(bytes.buffer);
  view.setUint16(view.getUint32(0x3c, true) + 4, 0xaa64, true);
  return bytes;
}

const OWNER = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;

/** Runs `install` with a key, in a format. */
function installSigned(machine: Machine, ...more: readonly string[]) {
  const key = join(machine.root, 'db.key');
  if (!fs.existsSync(key)) fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  const pair = ['--certificate', certificatePath, '--private-key', key, '--quiet'];
  return machine.runWith({}, 'install', ...machine.arguments(), ...pair, ...more);
}

const STATUS = (machine: Machine) =>
  ['status', ...machine.arguments(), '--certificate', certificatePath] as const;

function verifySigned(machine: Machine) {
  const own = ['--certificate', certificatePath, '--json'];
  return machine.runWith({}, 'verify', '--esp', machine.esp, '--allow-directory', ...own);
}

/** Puts our certificate into variables of firmware that has Secure Boot on. */
function knows(machine: Machine, ...names: readonly ('db' | 'dbx')[]): void {
  const lists = formatSignatureLists([{ type: X509, owner: OWNER, data: certificateDer }]);
  for (const name of names) {
    const vendor = name === 'db' ? KEY_VARIABLES.db.vendor : IMAGE_SECURITY_DATABASE;
    const path = join(machine.efivars, `${name}-${vendor}`);
    fs.writeFileSync(path, Buffer.concat([Buffer.alloc(4), lists]));
  }
  machine.variable('SecureBoot', 'global', Uint8Array.of(1));
}

describe('a kernel for another processor', () => {
  const foreign = forArm64(aKernel());
  for (const format of ['uki', 'type1']) {
    test(`breaks its generation in the format ${format}, and both processors are named`, async (t) => {
      const machine = aMachine(t, { generations: [{ kernel: foreign }, {}] });
      const ran = await machine.run('install', '--format', format);
      assert.equal(ran.status, 5);
      assert.deepEqual(machine.installed(), [2]);
    });
  }

  test('is refused when it is the one that is to boot next', async (t) => {
    const machine = aMachine(t, { generations: [{}, { kernel: foreign }] });
    const { error } = await machine.run('install');
    assert.match(String(error?.cause), /another processor: expected machine 0x8664, got 0xaa64/);
    assert.deepEqual(machine.tree(), {});
  });
});

test('an extra program for another processor is told, unless its name says so', async (t) => {
  const machine = aMachine(t);
  const source = join(machine.root, 'shell.efi');
  fs.writeFileSync(source, forArm64(aKernel('shell')));
  const config = join(machine.root, 'espalier.toml');
  for (const [path, status] of [
    ['EFI/tools/shell.efi', 5],
    ['EFI/tools/shellaa64.efi', 0],
  ] as const) {
    fs.writeFileSync(config, `[extra-files]\n"${path}" = "${source}"\n`);
    const ran = await machine.run('install', '--json', '--config', config);
    assert.equal(ran.status, status);
    const [warning = ''] = JSON.parse(ran.output).warnings;
    assert.match(warning, status === 0 ? /^$/ : /shell\.efi is a program for another processor/);
  }
});

test('a stub for another processor is refused by its path', async (t) => {
  const machine = aMachine(t);
  const stub = join(machine.root, 'arm.efi.stub');
  fs.writeFileSync(stub, forArm64(aKernel()));
  const { error } = await machine.run('install', '--stub', stub);
  assert.match(error?.message ?? '', /arm\.efi\.stub: expected a stub for x64, got .* 0xaa64/);
});

describe('a command line', () => {
  test('that the kernel would cut off breaks its generation', async (t) => {
    const kernelParams = [`x=${'y'.repeat(2500)}`, 'usrhash=abc'];
    const machine = aMachine(t, { generations: [{}, { kernelParams }, {}] });
    assert.equal((await machine.run('install')).status, 5);
    assert.deepEqual(machine.installed(), [1, 3]);
  });

  test('that is as long as the kernel takes is installed', async (t) => {
    const kernelParams = ['y'.repeat(1500)];
    const machine = aMachine(t, { generations: [{ kernelParams }] });
    assert.equal((await machine.run('install')).status, 0);
  });
});

test('a certificate in dbx installs nothing, and verify tells it', async (t) => {
  const machine = aMachine(t);
  assert.equal((await installSigned(machine)).status, 0);
  const before = machine.tree();
  knows(machine, 'db', 'dbx');
  const { status, error } = await installSigned(machine);
  assert.equal(status, 3);
  assert.equal(error?.code, 'SECURE_BOOT_UNTRUSTED');
  assert.match(error?.message ?? '', /dbx has the certificate of/);
  assert.deepEqual(machine.tree(), before);
  const told = await machine.runWith(
    { environment: { ESPALIER_EFIVARS: machine.efivars } },
    ...STATUS(machine),
  );
  assert.equal(told.status, 5);
  assert.match(
    told.output,
    /no, not from here: Secure Boot is on,\s+and\s+firmware\s+refuses\s+our\s+certificate/,
  );
});

test('with the first certificate the only generation is signed, and there is nothing to say', async (t) => {
  const machine = aMachine(t);
  assert.equal((await machine.run('install')).status, 0);
  assert.equal((await installSigned(machine)).status, 0);
  assert.equal((await verifySigned(machine)).status, 0);
  assert.deepEqual(machine.installed(), [1]);
});

describe('an image that lost its signature', () => {
  /** Overwrites the certificate table at the end of the image. */
  function zeroSignature(machine: Machine): void {
    const [image = ''] = machine.paths(/^EFI\/Linux\//);
    const path = join(machine.esp, image);
    const bytes = fs.readFileSync(path);
    const at = bytes.lastIndexOf(certificateDer);
    assert.ok(at > 0, 'the image carries the certificate');
    bytes.fill(0, at, at + certificateDer.length);
    fs.writeFileSync(path, bytes);
  }

  test('is a finding of verify without a look at every byte', async (t) => {
    const machine = aMachine(t);
    await installSigned(machine);
    assert.equal((await verifySigned(machine)).status, 0);
    zeroSignature(machine);
    const { status, output } = await verifySigned(machine);
    assert.equal(status, 5);
    assert.match(output, /does not carry a whole signature of our certificate/);
  });

  test('is healed by a plain install, when another entry boots meanwhile', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await installSigned(machine);
    const before = machine.tree();
    zeroSignature(machine);
    assert.equal((await installSigned(machine)).status, 0);
    assert.deepEqual(machine.tree(), before);
  });

  test('is left as it is and told, when nothing else boots and Secure Boot is off', async (t) => {
    const machine = aMachine(t);
    await installSigned(machine);
    zeroSignature(machine);
    const before = machine.tree();
    assert.equal((await installSigned(machine)).status, 5);
    assert.deepEqual(machine.tree(), before);
    const told = await machine.runWith({}, ...STATUS(machine));
    assert.equal(told.status, 5);
    assert.match(told.output, /1 entry, 1 damaged/);
  });

  test('is healed with Secure Boot on: it does not boot', async (t) => {
    const machine = aMachine(t);
    await installSigned(machine);
    const before = machine.tree();
    zeroSignature(machine);
    knows(machine, 'db');
    assert.equal((await installSigned(machine)).status, 0);
    assert.deepEqual(machine.tree(), before);
  });
});

describe('a bare kernel', () => {
  const kernelOf = (machine: Machine) => {
    const [kernel = ''] = machine.paths(/^EFI\/nixos\/kernel-/);
    return fs.readFileSync(join(machine.esp, kernel));
  };

  test('is not signed unless a person asks', async (t) => {
    const machine = aMachine(t);
    await installSigned(machine, '--format', 'type1');
    assert.deepEqual(kernelOf(machine), Buffer.from(aKernel()));
  });

  test('is signed with --sign-kernels', async (t) => {
    const machine = aMachine(t);
    await installSigned(machine, '--format', 'type1', '--sign-kernels');
    assert.ok(kernelOf(machine).includes(Buffer.from(certificateDer)));
  });

  test('that is not signed is refused with Secure Boot on', async (t) => {
    const machine = aMachine(t);
    knows(machine, 'db');
    const { status, error } = await installSigned(machine, '--format', 'type1');
    assert.equal(status, 3);
    assert.equal(error?.code, 'SECURE_BOOT_UNSIGNED');
    assert.match(error?.hint ?? '', /--sign-kernels/);
    assert.deepEqual(machine.tree(), {});
  });
});
