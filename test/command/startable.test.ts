/** Nothing that does not start is called done: what firmware, loader and kernel have to take is asked. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Guid } from '../../src/guid.ts';
import { IMAGE_SECURITY_DATABASE, KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { OPTIONAL_HEADER, PE_OFFSET } from '../pe/a-pe.ts';
import { certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aDevicetree } from '../uki/a-devicetree.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';

/** Returns a program that says that it is for another processor (PE/COFF §Machine Types). */
function forArm64(program: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(program);
  const view = new DataView(bytes.buffer);
  view.setUint16(view.getUint32(0x3c, true) + 4, 0xaa64, true);
  return bytes;
}

/** Returns a program whose second section is loaded over the first one. */
function overlapping(program: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(program);
  const view = new DataView(bytes.buffer);
  const table = OPTIONAL_HEADER + view.getUint16(PE_OFFSET + 20, true);
  view.setUint32(table + 40 + 12, view.getUint32(table + 12, true), true);
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

describe('a kernel that is no EFI application', () => {
  const driver = Uint8Array.from(aKernel());
  new DataView(driver.buffer).setUint16(OPTIONAL_HEADER + 68, 11, true);
  for (const format of ['uki', 'type1']) {
    test(`breaks its generation in the format ${format}: firmware does not start it`, async (t) => {
      const machine = aMachine(t, { generations: [{}, { kernel: driver }] });
      const { error } = await machine.run('install', '--format', format);
      assert.match(String(error?.cause), /no EFI application: expected subsystem 10, got 11/);
    });
  }
});

test('a kernel whose sections lie over each other breaks its generation, in every format', async (t) => {
  const kernel = overlapping(aKernel());
  for (const format of ['uki', 'type1']) {
    const machine = aMachine(t, { generations: [{}, { kernel }] });
    const { error } = await machine.run('install', '--format', format);
    assert.match(String(error?.cause), /section "\.data" at \S+ overlaps section "\.text"/);
  }
});

test('an extra program whose sections lie over each other is not signed', async (t) => {
  const machine = aMachine(t);
  const source = join(machine.root, 'tool.efi');
  fs.writeFileSync(source, overlapping(aKernel()));
  const config = join(machine.root, 'espalier.toml');
  fs.writeFileSync(config, `[extra-files]\n"tool.efi" = { source = "${source}", sign = true }\n`);
  const { status, error } = await installSigned(machine, '--config', config);
  assert.equal(status, 2);
  assert.match(error?.message ?? '', /cannot be signed: .* overlaps section/);
});

describe('a device tree', () => {
  /** A machine whose older generation names these bytes as its device tree. */
  function withDevicetree(t: TestContext, bytes: Uint8Array): Machine {
    const machine = aMachine(t, { generations: [{}, {}] });
    const devicetree = join(machine.root, 'board.dtb');
    fs.writeFileSync(devicetree, bytes);
    const path = join(machine.toplevel(1), 'boot.json');
    const document = JSON.parse(fs.readFileSync(path, 'utf8'));
    document['org.nixos.systemd-boot'] = { devicetree };
    fs.writeFileSync(path, JSON.stringify(document));
    return machine;
  }
  test('that is none, or is cut short, breaks its generation', async (t) => {
    for (const bytes of [
      new Uint8Array(64),
      aDevicetree('x', 42),
      new TextEncoder().encode('/dts-v1/;'),
    ])
      for (const format of ['uki', 'type1']) {
        const machine = withDevicetree(t, bytes);
        assert.equal((await machine.run('install', '--format', format)).status, 5);
        assert.deepEqual(machine.installed(), [2]);
      }
  });

  test('that is whole is installed', async (t) => {
    assert.equal((await withDevicetree(t, aDevicetree()).run('install')).status, 0);
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
    assert.match(
      warning,
      status === 0 ? /^$/ : /does not start .*shell\.efi: it is for another processor/,
    );
  }
});

test('a declared entry whose program is not on the ESP is told by install, verify and status', async (t) => {
  const machine = aMachine(t);
  const config = join(machine.root, 'espalier.toml');
  fs.writeFileSync(config, '[extra-entries]\n"tool.conf" = "title T\\nefi /EFI/tool.efi\\n"\n');
  const run = (verb: string) => machine.run(verb, '--json', '--config', config);
  const told = /tool\.conf does not boot: EFI\/tool\.efi is not on the ESP/;
  for (const verb of ['install', 'install'] as const) {
    const { status, output } = await run(verb);
    assert.equal(status, 5);
    assert.match(output, told);
  }
  assert.equal((await run('verify')).status, 5);
  assert.equal((await run('status')).status, 5);
  machine.put('EFI/tool.efi', aKernel());
  assert.equal((await run('install')).status, 0);
  assert.equal((await run('status')).status, 0);
});

test('an entry of others whose program is gone is a note, and keeps nobody from being well', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  machine.put('loader/entries/old.conf', 'title Old\nlinux /gone\n');
  for (const verb of ['verify', 'status']) {
    const { status, output } = await machine.run(verb, '--json');
    assert.equal(status, 0);
    assert.match(output, /old\.conf[^}]*does not boot: gone is not there/);
  }
});

test('a stub for another processor is refused by its path', async (t) => {
  const machine = aMachine(t);
  const stub = join(machine.root, 'arm.efi.stub');
  fs.writeFileSync(stub, forArm64(aKernel()));
  const { error } = await machine.run('install', '--stub', stub);
  assert.match(error?.message ?? '', /arm\.efi\.stub: expected a stub for x64: .* got 0xaa64/);
});

describe('a command line', () => {
  test('that the kernel would cut off breaks its generation', async (t) => {
    const kernelParams = [`x=${'y'.repeat(2500)}`, 'usrhash=abc'];
    const machine = aMachine(t, { generations: [{}, { kernelParams }, {}] });
    assert.equal((await machine.run('install')).status, 5);
    assert.deepEqual(machine.installed(), [1, 3]);
  });

  test('that addons make too long breaks its generation, where the stub takes addons', async (t) => {
    const machine = aMachine(t, { generations: [{ kernelParams: ['y'.repeat(1500)] }] });
    fs.writeFileSync(join(machine.systemd, 'lib/systemd/boot/efi/addonx64.efi.stub'), aKernel());
    const config = join(machine.root, 'espalier.toml');
    const install = (format: string) =>
      machine.run('install', '--config', config, '--format', format);
    fs.writeFileSync(config, `[addons.more]\ncmdline = "${'z'.repeat(600)}"\n`);
    const { error } = await install('uki');
    assert.match(String(error?.cause), /has \d+ bytes, 601 of them from addons/);
    assert.equal((await install('type1')).status, 0);
    fs.writeFileSync(config, '[addons.more]\ncmdline = "z"\n');
    assert.equal((await install('uki')).status, 0);
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
