/** The hooks at work: kernel-install of two versions, and what Debian's packages of kernels call. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { once, theParts, whatIsMissing } from '../boot/installed.ts';
import { aKernel } from '../command/a-machine.ts';
import { kernelInstall } from '../lab/kernel-install.ts';
import { noNamespaces, PackageMachine } from './a-package-machine.ts';

const skip = whatIsMissing([]) || noNamespaces();
const built = once(() => bundle());
const V = '6.1.0-10-amd64';

async function aPackageMachine(): Promise<PackageMachine> {
  await built();
  const program = resolve(import.meta.dirname, '../../dist/espalier.mjs');
  const machine = new PackageMachine(program, theParts().systemdRoot[252]);
  machine.put(`/usr/lib/modules/${V}/modules.order`, '');
  machine.put('/var/lib/espalier/kernels/.keep', '');
  return machine;
}

/** How many entries the ESP has. */
function entries(machine: PackageMachine): number {
  return readdirSync(join(machine.root, 'boot/efi/EFI/Linux')).length;
}

suite('kernel-install', { skip }, () => {
  for (const version of ['252', '262'] as const) {
    const words = kernelInstall(version);
    const missing = words === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts';
    test(`of version ${version} adds a kernel and removes it`, { skip: missing }, async () => {
      using machine = await aPackageMachine();
      machine.put('/etc/kernel/install.conf', 'layout=espalier\n');
      machine.put('/etc/image', aKernel(V));
      machine.put('/etc/initrd', 'initrd');
      const call = (words ?? []).map((word) => `"${word}"`).join(' ');
      const added = machine.sh(`${call} add ${V} /etc/image /etc/initrd`);
      assert.equal(added.status, 0, added.stderr);
      assert.match(machine.read('/boot/efi/loader/loader.conf'), /^default 0123456789abcdef/m);
      assert.equal(entries(machine), 1);
      // Nothing of kernel-install's own is there.
      assert.deepEqual(readdirSync(join(machine.root, 'boot')), ['efi']);
      const removed = machine.sh(`${call} remove ${V}`);
      assert.equal(removed.status, 0, removed.stderr);
      assert.deepEqual(readdirSync(join(machine.root, 'var/lib/espalier/systems')), []);
    });
  }
});

/** Runs the hooks of a directory as Debian's packages do. */
function hooks(directory: string, file: string, parameters: string): string {
  return `DEB_MAINT_PARAMS="${parameters}" run-parts --report --exit-on-error --arg=${V} --arg=${file} ${directory}`;
}

suite('Debian’s hooks', { skip }, () => {
  const IMAGE = `/boot/vmlinuz-${V}`;
  const INITRD = `/boot/initrd.img-${V}`;
  const install = hooks('/etc/kernel/postinst.d', IMAGE, "'configure' ''");

  async function withKernel(): Promise<PackageMachine> {
    const machine = await aPackageMachine();
    machine.put(IMAGE, aKernel(V));
    machine.put(INITRD, 'initrd');
    return machine;
  }

  test('follow a kernel from its installation to its end', async () => {
    using machine = await withKernel();
    const ran = (command: string) => {
      const { status, stderr } = machine.sh(command);
      assert.equal(status, 0, stderr);
    };
    ran(install);
    assert.equal(entries(machine), 1);
    machine.put(INITRD, 'another initrd');
    ran(hooks('/etc/initramfs/post-update.d', INITRD, ''));
    assert.equal(entries(machine), 2);
    ran(hooks('/etc/kernel/postrm.d', IMAGE, 'upgrade 6.1.2'));
    assert.equal(entries(machine), 2);
    machine.put(IMAGE, aKernel('6.1.2'));
    ran(install);
    ran(hooks('/etc/kernel/postrm.d', IMAGE, 'remove'));
    ran(hooks('/etc/kernel/postrm.d', IMAGE, 'purge'));
    assert.deepEqual(readdirSync(join(machine.root, 'var/lib/espalier/kernels')), ['.keep']);
  });

  test('fail a package only where our menu lacks its kernel', async () => {
    using machine = await withKernel();
    const settings = machine.read('/etc/espalier.toml');
    const fill = () => machine.put('/etc/espalier.toml', `${settings}reserve = "1000000G"\n`);
    const goesOn = (command: string, told: RegExp) => {
      const { status, stderr } = machine.sh(command);
      assert.equal(status, 0, stderr);
      assert.match(stderr, told);
    };
    fill();
    goesOn(install, /none of its entries is on the ESP/);
    machine.put('/etc/espalier.toml', settings);
    assert.equal(machine.sh(install).status, 0);
    fill();
    machine.put(INITRD, 'another initrd');
    goesOn(install, /boots by the entry that it had/);
    const other = '6.1.0-11-amd64';
    machine.put(`/usr/lib/modules/${other}/modules.order`, '');
    machine.put(`/boot/vmlinuz-${other}`, aKernel(other));
    machine.put(`/boot/initrd.img-${other}`, 'initrd');
    assert.notEqual(machine.sh(install.replaceAll(V, other)).status, 0);
  });

  test('do nothing where nobody asked for it', async () => {
    using machine = await withKernel();
    assert.equal(machine.sh(`rm -r /var/lib/espalier; ${install}`).status, 0);
    assert.deepEqual(readdirSync(join(machine.root, 'boot/efi')), []);
  });
});
