/** `kernel`: what packages install becomes generations, which every other verb knows. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { parseType1 } from '../../src/esp/type1.ts';
import { aDistribution, type Distribution, MACHINE_ID } from '../kernels/a-distribution.ts';
import { OPTIONAL_HEADER } from '../pe/a-pe.ts';
import { aKernel } from './a-machine.ts';

const OLD = '6.1.0-9-amd64';
const NEW = '6.1.0-10-amd64';

/** Keeps what is installed, and installs it. */
async function install(distribution: Distribution, ...args: readonly string[]): Promise<void> {
  assert.equal((await distribution.run('kernel', 'sync')).status, 0);
  const { status, error } = await distribution.run('install', ...args);
  assert.equal(status, 0, error?.message);
}

/** The text of the entry of a generation. */
function entryOf(distribution: Distribution, number: number) {
  const [path = ''] = distribution.machine.paths(new RegExp(`-generation-${number}-.*\\.conf$`));
  return parseType1(distribution.machine.read(path));
}

test('what packages installed boots, the newest release first', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  await install(debian);
  assert.deepEqual(debian.installed(), [1, 2]);
  assert.equal(debian.next(), 2);
  const { output } = await debian.run('list');
  const [, first = '', second = ''] = output.split('\n');
  assert.match(first, new RegExp(`^2 .* ${NEW} .* next$`));
  assert.match(second, new RegExp(`^1 .* ${OLD} `));
  assert.match((await debian.run('plan')).output, /^\/esp: nothing to do/);
  assert.equal((await debian.run('verify', '--deep')).status, 0);
});

test('an entry says what the machine says: its name, its command line, its ID', async (t) => {
  const debian = aDistribution(t, NEW);
  debian.put('etc/kernel/cmdline', '# the root\nroot=/dev/vda2\tro\n');
  await install(debian, '--format', 'type1');
  const { title, version, sortKey, options } = entryOf(debian, 1);
  assert.equal(title, 'Debian GNU/Linux 12 (bookworm)');
  assert.match(version ?? '', new RegExp(`^${NEW}, generation 1, `));
  assert.equal(sortKey, 'debian');
  const [own] = debian.state('systems');
  assert.equal(
    options,
    `root=/dev/vda2 ro systemd.machine_id=${MACHINE_ID} espalier.system=/var/lib/espalier/systems/${own}`,
  );
  assert.equal(debian.machine.paths(new RegExp(`^EFI/${MACHINE_ID}/kernel-${NEW}-`)).length, 1);
});

test('an initrd that was rebuilt is a new generation, and the one before stays until that booted', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  debian.boots(1);
  debian.package(NEW, 'another initrd');
  await install(debian);
  assert.deepEqual(debian.installed(), [1, 2]);
  assert.equal(debian.next(), 2);
  debian.boots(2);
  assert.equal((await debian.run('install')).status, 0);
  assert.deepEqual(debian.installed(), [2]);
  await install(debian);
  assert.deepEqual(debian.state('systems').length, 1);
  assert.deepEqual(debian.state('files').length, 2);
});

test('kernels are kept where links lead, and none is forgotten for it', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  fs.mkdirSync(debian.path('data/var'), { recursive: true });
  fs.symlinkSync('data/var', debian.path('var'));
  await install(debian);
  assert.deepEqual(debian.installed(), [1, 2]);
  const before = [debian.state('systems'), debian.state('files')];
  await install(debian);
  assert.deepEqual([debian.state('systems'), debian.state('files')], before);
  assert.match((await debian.run('install')).output, /nothing to do/);
});

test('kernels stay when the directory that keeps them is moved and linked', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  await install(debian);
  const before = [debian.state('systems'), debian.state('files')];
  fs.renameSync(debian.path('var'), debian.path('elsewhere'));
  fs.symlinkSync('elsewhere', debian.path('var'));
  await debian.run('kernel', 'remove', 'none');
  assert.deepEqual([debian.state('systems'), debian.state('files')], before);
});

test('a command line that is no text keeps no kernel', async (t) => {
  for (const text of ['root=/dev/vda2\0x', Buffer.from('\ufeffroot=/dev/vda2', 'utf16le')]) {
    const debian = aDistribution(t, NEW);
    debian.put('etc/kernel/cmdline', text);
    const { status, error } = await debian.run('kernel', 'sync');
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /etc\/kernel\/cmdline: expected UTF-8 text/);
  }
});

test('a kernel that firmware does not start stops no other', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  const kernel = Uint8Array.from(aKernel(NEW));
  new DataView(kernel.buffer).setUint16(OPTIONAL_HEADER + 68, 3, true);
  debian.put(`boot/vmlinuz-${NEW}`, kernel);
  assert.equal((await debian.run('kernel', 'sync')).status, 5);
  assert.equal((await debian.run('install')).status, 0);
  assert.deepEqual(debian.installed(), [1]);
});

test('what did not change makes no generation', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  const before = debian.machine.tree(debian.path('var/lib/espalier'));
  const { output } = await debian.run('kernel', 'add', NEW);
  assert.match(output, /generation 1: as before/);
  assert.deepEqual(debian.machine.tree(debian.path('var/lib/espalier')), before);
});

test('a kernel without its initrd is broken and not installed, until it has one', async (t) => {
  const debian = aDistribution(t, OLD);
  debian.put(`boot/vmlinuz-${NEW}`, aKernel(NEW));
  debian.put(`usr/lib/modules/${NEW}/modules.dep`, '');
  assert.equal((await debian.run('kernel', 'sync')).status, 5);
  assert.equal((await debian.run('install')).status, 5);
  assert.deepEqual(debian.installed(), [1]);
  assert.match((await debian.run('kernel', 'list')).output, /broken: initrd .*: expected a file/);
  debian.package(NEW);
  await install(debian);
  assert.deepEqual(debian.installed(), [1, 3]);
  assert.equal(debian.next(), 3);
});

test('a kernel that needs no initrd is taken when a person says so', async (t) => {
  const debian = aDistribution(t);
  debian.put(`boot/vmlinuz-${NEW}`, aKernel(NEW));
  debian.put(`usr/lib/modules/${NEW}/modules.dep`, '');
  assert.equal((await debian.run('kernel', 'add', NEW, '--without-initrd')).status, 0);
  assert.equal((await debian.run('install', '--format', 'type1')).status, 0);
  assert.equal(entryOf(debian, 1).files.length, 1);
});

test('a kernel without its modules is not installed', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  fs.rmSync(debian.path(`usr/lib/modules/${NEW}`), { recursive: true });
  const { status } = await debian.run('kernel', 'sync');
  assert.equal(status, 5);
  assert.equal((await debian.run('install')).status, 5);
  assert.deepEqual(debian.installed(), [1]);
});

test('a kernel that was removed loses its entry, unless it runs', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  await install(debian);
  debian.boots(2);
  assert.equal((await debian.run('kernel', 'remove', NEW)).status, 0);
  assert.equal((await debian.run('install')).status, 0);
  assert.equal(debian.next(), 1);
  assert.deepEqual(debian.installed(), [1, 2]);
  debian.boots(1);
  assert.equal((await debian.run('install')).status, 0);
  assert.deepEqual(debian.installed(), [1]);
});

test('a removed kernel that a person pinned stays', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  await install(debian);
  assert.equal((await debian.run('pin', '1')).status, 0);
  assert.equal((await debian.run('kernel', 'remove', OLD)).status, 0);
  assert.equal((await debian.run('install')).status, 0);
  assert.deepEqual(debian.installed(), [1, 2]);
  assert.match((await debian.run('list')).output, /^1 .*6\.1\.0-9-amd64 .* pinned$/m);
});

test('an older kernel that is added does not boot next, and one that a person names does', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  debian.package(OLD);
  await install(debian);
  assert.equal(debian.next(), 1);
  assert.equal((await debian.run('install', OLD)).status, 0);
  assert.equal(debian.next(), 2);
});

test('several initrds become one, each at a multiple of four bytes', async (t) => {
  const debian = aDistribution(t, NEW);
  debian.put('staging/microcode', 'five!');
  debian.put('staging/initrd', 'rest');
  const files = ['/staging/microcode', '/staging/initrd'];
  const { status } = await debian.run('kernel', 'add', NEW, `/boot/vmlinuz-${NEW}`, ...files);
  assert.equal(status, 0);
  const kept = debian.state('files').find((name) => name.endsWith('-initrd'));
  const bytes = fs.readFileSync(debian.path(`var/lib/espalier/files/${kept}`), 'latin1');
  assert.equal(bytes, 'five!\0\0\0rest');
});

test('a comment behind a parameter is told, because the kernel gets it', async (t) => {
  const debian = aDistribution(t, NEW);
  debian.put('etc/kernel/cmdline', 'root=/dev/vda2 # the root\n');
  assert.equal((await debian.run('kernel', 'add', NEW)).status, 5);
});

test('without a file the command line is that of the running kernel, less what loaders add', async (t) => {
  const debian = aDistribution(t, NEW);
  fs.rmSync(debian.path('etc/kernel/cmdline'));
  const { status, error } = await debian.run('kernel', 'add', NEW);
  assert.equal(status, 2);
  assert.match(error?.hint ?? '', /root=UUID=/);
});

test('where nothing is installed nothing is forgotten', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  for (const path of ['boot', 'usr/lib/modules']) fs.rmSync(debian.path(path), { recursive: true });
  assert.equal((await debian.run('kernel', 'sync')).error?.code, 'FILE_MISSING');
  assert.equal(debian.state('systems').length, 1);
});

test('what is damaged in the store is mended by the package’s own files', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  for (const name of debian.state('files')) debian.put(`var/lib/espalier/files/${name}`, 'rot');
  await install(debian);
  assert.equal((await debian.run('verify', '--deep')).status, 0);
  assert.deepEqual(debian.installed(), [1]);
});

/** Puts on the ESP what kernel-install 252 and later put there for a kernel. */
function kernelInstalls(debian: Distribution, release: string, counter = ''): string[] {
  const tree = `${MACHINE_ID}/${release}`;
  const entry = `loader/entries/${MACHINE_ID}-${release}${counter}.conf`;
  const text = `title Debian\nversion ${release}\noptions root=/dev/vda2\nlinux /${tree}/linux\ninitrd /${tree}/initrd.img-${release}\n`;
  const files = {
    [entry]: text,
    [`${tree}/linux`]: aKernel('theirs'),
    [`${tree}/initrd.img-${release}`]: 'x',
  };
  for (const [path, content] of Object.entries(files)) debian.machine.put(path, content);
  return Object.keys(files);
}

test('--adopt takes over the entries and trees of kernel-install for kernels that are ours now', async (t) => {
  const debian = aDistribution(t, OLD, NEW);
  const theirs = [...kernelInstalls(debian, OLD), ...kernelInstalls(debian, NEW, '+2-1')];
  const image = `EFI/Linux/${MACHINE_ID}-${NEW}.efi`;
  debian.machine.put(image, aKernel('uki'));
  const others = [...kernelInstalls(debian, '0-rescue'), ...kernelInstalls(debian, `${NEW}-mine`)];
  assert.equal((await debian.run('kernel', 'sync')).status, 0);
  await debian.run('install');
  const before = debian.machine.paths(/./);
  for (const path of [...theirs, image]) assert.ok(before.includes(path), path);
  assert.equal((await debian.run('install', '--adopt')).status, 0);
  const after = debian.machine.paths(/./);
  for (const path of [...theirs, image]) assert.ok(!after.includes(path), path);
  for (const path of others) assert.ok(after.includes(path), path);
  assert.deepEqual(debian.installed(), [1, 2]);
  assert.match((await debian.run('install', '--adopt')).output, /nothing to do/);
});

test('where no command line is seen, the boot loader tells which generation runs', async (t) => {
  const debian = aDistribution(t, NEW);
  await install(debian);
  debian.package(NEW, 'another initrd');
  await install(debian);
  const [image = ''] = debian.machine.paths(/-generation-2-/);
  const selected = image.slice(image.lastIndexOf('/') + 1);
  debian.put(
    'sys/firmware/efi/efivars/LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
    Buffer.concat([Buffer.alloc(4), Buffer.from(`${selected}\0`, 'utf16le')]),
  );
  const environment = { ESPALIER_EFIVARS: '/sys/firmware/efi/efivars' };
  const words = ['install', '--root', debian.machine.root, '--esp', '/esp', '--allow-directory'];
  const more = ['--systemd', '/systemd', '--cache-dir', '/cache', '--allow-unsigned', '--quiet'];
  const { status, error } = await debian.machine.runWith({ environment }, ...words, ...more);
  assert.equal(status, 0, error?.message);
  assert.deepEqual(debian.installed(), [2]);
});
