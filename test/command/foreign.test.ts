/** What is not ours survives byte for byte, whatever we do beside it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { base32, hash } from '../../src/digest.ts';
import { aPe } from '../pe/a-pe.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';

const text = (value: string) => new TextEncoder().encode(value);
const SOME = base32(hash('something'));

/** An image of lanzaboote's: paths and digests of files instead of their content. */
function aThinImage(kernel: string, initrd: string): Uint8Array {
  return aPe({
    sections: [
      { name: '.osrel', bytes: text('ID=lanza\nPRETTY_NAME=NixOS\n') },
      { name: '.cmdline', bytes: text('init=/nix/store/x-nixos-system/init') },
      { name: '.linux', bytes: text(`\\EFI\\nixos\\${kernel}`) },
      { name: '.linuxh', bytes: new Uint8Array(32) },
      { name: '.initrd', bytes: text(`\\EFI\\nixos\\${initrd}`) },
      { name: '.initrdh', bytes: new Uint8Array(32) },
    ],
  });
}

const THIN = {
  kernel: `kernel-6.6.1-${base32(hash('a kernel'))}.efi`,
  initrd: `initrd-6.6.1-${base32(hash('an initrd'))}.efi`,
};

/** Files of others by their path, each with a reason to be taken for ours. */
const FOREIGN: Readonly<Record<string, Uint8Array | string>> = {
  // Windows, firmware tools, other distributions
  'EFI/Microsoft/Boot/bootmgfw.efi': aPe(),
  'EFI/Linux/fedora-6.12.5-300.fc43.x86_64.efi': aPe(),
  'EFI/Linux/arch-linux.efi': 'damaged, and theirs to mend',
  'EFI/fedora/shimx64.efi': aPe(),
  'EFI/memtest86/memtest.efi': aPe(),
  'loader/entries/arch.conf': 'title Arch\nlinux /vmlinuz-linux\ninitrd /initramfs-linux.img\n',
  'vmlinuz-linux': 'kernel',
  'startup.nsh': 'fs0:',
  // the user's own
  'loader/entries/mine.conf': `title Mine\nlinux /EFI/nixos/${THIN.kernel}\noptions quiet\n`,
  'loader/random-seed': 'seed',
  'loader/keys/mine/db.auth': 'key',
  // nixpkgs' builder
  'loader/entries/nixos-generation-7.conf':
    'title NixOS\nsort-key nixos\nlinux /EFI/nixos/0c1dnkz7-linux-6.6.1-bzImage.efi\n',
  'loader/entries/nixos-generation-7-specialisation-gaming.conf': 'title NixOS\n',
  'EFI/nixos/0c1dnkz7-linux-6.6.1-bzImage.efi': 'kernel',
  'EFI/nixos/0c1dnkz7-initrd-linux-6.6.1-initrd.efi': 'initrd',
  // lanzaboote's: named as ours are
  [`EFI/Linux/nixos-generation-6-${SOME}.efi`]: aThinImage(THIN.kernel, THIN.initrd),
  [`EFI/nixos/${THIN.kernel}`]: aKernel('a kernel'),
  [`EFI/nixos/${THIN.initrd}`]: 'an initrd',
  // names that nearly are ours
  [`EFI/Linux/nixos-generation--${SOME}.efi`]: 'no number',
  [`EFI/Linux/nixos-generation-1-${SOME.slice(1)}.efi`]: 'a digest of 51 characters',
  [`EFI/Linux/nixos-generation-1-${SOME}0.efi`]: 'a digest of 53 characters',
  [`EFI/Linux/nixos-generation-1-${'1'.repeat(52)}.efi`]: 'no base32',
  [`EFI/Linux/nixos-generation-1-${SOME}.efi.bak`]: 'a copy',
  [`EFI/Linux/nixos-generation-1-${SOME}`]: 'without its ending',
  [`EFI/Linux/xnixos-generation-1-${SOME}.efi`]: 'of another token',
  [`EFI/Linux/nixos-lab-generation-1-${SOME}.efi`]: 'of a longer token',
  [`EFI/Linux/nixos-generation-1-spec-${SOME}.efi`]: 'no specialisation',
  [`loader/entries/nixos-generation-1-${SOME}.txt`]: 'no entry',
  [`EFI/nixos/kernel-${SOME}.efi`]: 'no version',
  [`EFI/nixos/ramdisk-6.12-${SOME}.efi`]: 'no kind of ours',
  [`EFI/other/kernel-6.12-${SOME}.efi`]: 'of another token',
  [`EFI/nixos/sub/kernel-6.12-${SOME}.efi`]: 'deeper down',
  [`EFI/Linux/nixos-generation-1-${SOME}.efi.extra.d/addon.efi`]: 'an addon',
};

function plant(machine: Machine): void {
  for (const [path, content] of Object.entries(FOREIGN)) machine.put(path, content);
}

function assertUntouched(machine: Machine, when: string): void {
  for (const [path, content] of Object.entries(FOREIGN)) {
    const found = fs.readFileSync(`${machine.esp}/${path}`);
    assert.ok(Buffer.from(content).equals(found), `${when}: ${path}`);
  }
}

for (const format of ['uki', 'type1'] as const) {
  test(`files of others survive a life of installs with --format ${format}`, async (t) => {
    const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
    plant(machine);
    const install = async (...args: string[]) => {
      const { status, error } = await machine.run('install', '--format', format, ...args);
      assert.equal(status, 0, error?.message);
    };
    await install();
    assertUntouched(machine, 'first run');
    machine.generations([{}, {}, {}]);
    await install('--limit', '1');
    assertUntouched(machine, 'limit');
    for (const number of [1, 2]) fs.unlinkSync(machine.link(number));
    machine.brings('259');
    await install();
    assertUntouched(machine, 'deletion and a new loader');
    await install('--format', format === 'uki' ? 'type1' : 'uki');
    assertUntouched(machine, 'another format');
    const own = Object.keys(machine.tree()).filter((path) => !(path in FOREIGN));
    assert.equal(own.filter((path) => path.includes('nixos-generation-')).length, 1);
  });
}

test('a blob of ours that an entry of the user names is kept for it', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  await machine.run('install', '--format', 'type1');
  const kernel = machine.paths(/nixos\/kernel-/)[0] ?? '';
  const initrds = machine.paths(/nixos\/initrd-/);
  const named = initrds.find((path) => machine.read(path) === 'one') ?? '';
  // Either slash, another case, and any key: however it is written, it is named.
  const path = `\\${named.replaceAll('/', '\\').toUpperCase()}`;
  machine.put('loader/entries/mine.conf', `title Mine\nlinux /${kernel}\ninitrd ${path}\n`);
  fs.unlinkSync(machine.link(1));
  await machine.run('install', '--format', 'type1');
  assert.deepEqual(machine.installed(), [2]);
  assert.deepEqual(machine.paths(/nixos\/initrd-/), initrds);
  fs.unlinkSync(`${machine.esp}/loader/entries/mine.conf`);
  await machine.run('install', '--format', 'type1');
  assert.deepEqual(
    machine.paths(/nixos\/initrd-/),
    initrds.filter((initrd) => initrd !== named),
  );
});

test('a thin image that says much about itself is still another tool’s', async (t) => {
  const machine = aMachine(t);
  const path = `EFI/Linux/nixos-generation-6-${SOME}.efi`;
  const osrel = { name: '.osrel', bytes: text(`PRETTY_NAME=${'x'.repeat(100_000)}\n`) };
  const thin = [
    { name: '.linux', bytes: text(`\\EFI\\nixos\\${THIN.kernel}`) },
    { name: '.linuxh', bytes: new Uint8Array(32) },
  ];
  machine.put(path, aPe({ sections: [osrel, ...thin] }));
  machine.put(`EFI/nixos/${THIN.kernel}`, aKernel('a kernel'));
  const before = machine.tree();
  await machine.run('install');
  assert.equal(machine.tree()[path], before[path]);
  assert.equal(machine.tree()[`EFI/nixos/${THIN.kernel}`], before[`EFI/nixos/${THIN.kernel}`]);
});

test('another entry token is another’s system: neither touches the other', async (t) => {
  const machine = aMachine(t);
  await machine.run('install', '--format', 'type1');
  const first = machine.tree();
  const { status } = await machine.run('install', '--format', 'type1', '--entry-token', 'lab');
  assert.equal(status, 0);
  const tree = machine.tree();
  for (const [path, digest] of Object.entries(first)) {
    if (path !== 'loader/loader.conf') assert.equal(tree[path], digest, path);
  }
  assert.equal(machine.paths(/entries\/lab-generation-1-/).length, 1);
  assert.equal(machine.paths(/EFI\/lab\/kernel-/).length, 1);
});

test('boot counters are left as they are, and a counted entry gets no twin', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  const [entry = ''] = machine.paths(/nixos-generation-1-/);
  const counted = entry.replace('.efi', '+2-1.efi');
  fs.renameSync(`${machine.esp}/${entry}`, `${machine.esp}/${counted}`);
  const entries = () => machine.paths(/^(EFI|loader\/entries)\//);
  const before = entries();
  await machine.run('install');
  assert.deepEqual(entries(), before);
  assert.match((await machine.run('install')).output, /nothing to do/);
});
