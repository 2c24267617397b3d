/** What `lzbt-systemd` writes, and what it leaves as it is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { base32, hash } from '../../src/digest.ts';
import { formatPcrlock, lockPe } from '../../src/measure/pcrlock.ts';
import { aKernel, type Machine } from '../command/a-machine.ts';
import { missingTools } from '../lab/tools.ts';
import { certificatePath } from '../signer/test-key.ts';
import { lanzabooteInstalls } from './a-lanzaboote.ts';
import { age, anLzbtMachine } from './a-lzbt.ts';
import { onEsp, readThin } from './image.ts';

const missing = missingTools(['sbsigntool']);
const withSbverify = { skip: missing.length > 0 && `needs ${missing}` };

const IMAGE = /^EFI\/Linux\/nixos-generation-/;

/** The paths on the ESP that were written since it was aged. */
function rewritten(machine: Machine): string[] {
  return machine.paths(/./).filter((path) => statSync(join(machine.esp, path)).mtimeMs > 2000);
}

function isSigned(machine: Machine, path: string): boolean {
  const args = ['--cert', certificatePath, join(machine.esp, path)];
  return spawnSync('sbverify', args).status === 0;
}

test('generations of one system share one kernel and one initrd', async (t) => {
  const same = { tag: 'same', specialisations: { rescue: {} } };
  const { machine, install } = anLzbtMachine(t, [same, same]);
  assert.equal(machine.toplevel(1), machine.toplevel(2));
  assert.equal((await install()).status, 0);
  assert.equal(machine.paths(IMAGE).length, 4);
  assert.equal(machine.paths(/^EFI\/nixos\//).length, 2);
});

test('a second run writes nothing', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{}, { specialisations: { rescue: {} } }]);
  await install();
  age(machine);
  assert.equal((await install()).status, 0);
  assert.deepEqual(rewritten(machine), []);
});

test('an image that is whole is not written again for a newer stub', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  await install();
  age(machine);
  writeFileSync(join(machine.root, 'stub.efi'), aKernel('a newer stub'));
  assert.equal((await install()).status, 0);
  assert.deepEqual(rewritten(machine), []);
});

test('a number that is used again gets a new image, and the old one goes', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ tag: 'first' }]);
  await install();
  const [first] = machine.paths(IMAGE);
  rmSync(machine.link(1));
  machine.generations([{ tag: 'second' }]);
  assert.equal((await install()).status, 0);
  const [second, ...more] = machine.paths(IMAGE);
  assert.notEqual(second, first);
  assert.deepEqual(more, []);
});

test('kernel and initrd lie on the ESP as they are, under the names of their digests', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ version: '6.1.1', initrd: 'an initrd' }]);
  assert.equal((await install()).status, 0);
  const kernel = `EFI/nixos/kernel-6.1.1-${base32(hash(aKernel()))}.efi`;
  const initrd = `EFI/nixos/initrd-6.1.1-${base32(hash('an initrd'))}.efi`;
  assert.deepEqual(machine.paths(/^EFI\/nixos\//), [initrd, kernel]);
  assert.deepEqual(readFileSync(join(machine.esp, kernel)), Buffer.from(aKernel()));
  const [image = ''] = machine.paths(IMAGE);
  const { linux, initrd: named } = readThin(machine, image);
  assert.deepEqual([linux, named].map(onEsp), [kernel, initrd]);
  assert.match(linux, /^\\EFI\\nixos\\kernel-6\.1\.1-[a-z2-7]{52}\.efi$/);
});

test('an image holds the digests of what it names', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  await install();
  const thin = readThin(machine, machine.paths(IMAGE)[0] ?? '');
  const digestOf = (text: string) =>
    createHash('sha256')
      .update(readFileSync(join(machine.esp, onEsp(text))))
      .digest('hex');
  assert.equal(thin.linuxh, digestOf(thin.linux));
  assert.equal(thin.initrdh, digestOf(thin.initrd));
});

test('secrets that rotate get a new initrd and a new image', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ secrets: 'echo 1 >> "$1"' }]);
  assert.equal((await install()).status, 0);
  const before = machine.paths(/^EFI\/(Linux|nixos)\//);
  const program = join(machine.toplevel(1), 'append-initrd-secrets');
  chmodSync(program, 0o755);
  writeFileSync(program, '#!/bin/sh\necho 2 >> "$1"\n');
  assert.equal((await install()).status, 0);
  const after = machine.paths(/^EFI\/(Linux|nixos)\//);
  assert.equal(after.length, before.length);
  assert.deepEqual(
    before.map((path) => [path.slice(0, 16), after.includes(path)]),
    [
      ['EFI/Linux/nixos-', false],
      ['EFI/nixos/initrd', false],
      ['EFI/nixos/kernel', true],
    ],
  );
});

test('a system without an initrd gets an empty archive: the stub starts nothing without one', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ initrd: null }]);
  assert.equal((await install()).status, 0);
  const { initrd } = readThin(machine, machine.paths(IMAGE)[0] ?? '');
  const archive = readFileSync(join(machine.esp, onEsp(initrd)));
  const { status, stdout } = spawnSync('cpio', ['--list', '--quiet'], { input: archive });
  assert.deepEqual([status, stdout.toString()], [0, '']);
});

test('images and loaders are signed, kernels are not', withSbverify, async (t) => {
  const { machine, install } = anLzbtMachine(t);
  assert.equal((await install()).status, 0);
  for (const path of machine.paths(/^EFI\/(Linux|BOOT|systemd)\//)) {
    assert.ok(isSigned(machine, path), path);
  }
  assert.ok(!isSigned(machine, machine.paths(/kernel-/)[0] ?? ''));
});

test(
  'an image that lost its signature gets it back, where lanzaboote leaves it so',
  withSbverify,
  async (t) => {
    const { machine, install } = anLzbtMachine(t, [{}, {}]);
    await install();
    const [image = '', other = ''] = machine.paths(IMAGE);
    spawnSync('sbattach', ['--remove', join(machine.esp, image)]);
    assert.ok(!isSigned(machine, image));
    age(machine);
    assert.equal((await install()).status, 0);
    assert.ok(isSigned(machine, image) && isSigned(machine, other));
    assert.deepEqual(rewritten(machine), [image]);
  },
);

test('a damaged kernel or image is made whole, where lanzaboote keeps it', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  await install();
  const whole = machine.tree();
  for (const path of machine.paths(/kernel-|^EFI\/Linux\//)) {
    truncateSync(join(machine.esp, path), 1000);
    assert.equal((await install()).status, 0);
    assert.deepEqual(machine.tree(), whole, path);
  }
});

test('without keys, and allowed to, it installs what is not signed', async (t) => {
  const { machine, run, options, links } = anLzbtMachine(t);
  const unsigned = options
    .map((option) => option.replace(/^--(public|private)-key=.*/, '--$1-key=/nowhere/$1'))
    .map((option) => (option === 'false' ? 'true' : option));
  assert.equal((await run('-q', 'install', ...unsigned, machine.esp, ...links())).status, 0);
  assert.equal(machine.paths(IMAGE).length, 1);
});

test('a new entry is counted as often as was asked for, and its counter is not set anew', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  const counted = () => install(0, '--bootcounting-initial-tries', '3');
  assert.equal((await counted()).status, 0);
  const [image = '', ...more] = machine.paths(IMAGE);
  assert.match(image, /\+3\.efi$/);
  assert.deepEqual(more, []);
  const tried = image.replace('+3', '+2-1');
  renameSync(join(machine.esp, image), join(machine.esp, tried));
  assert.equal((await counted()).status, 0);
  assert.deepEqual(machine.paths(IMAGE), [tried]);
});

test('an entry that lanzaboote counted is replaced by one that is counted anew', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  const { image } = lanzabooteInstalls(machine, 1);
  renameSync(join(machine.esp, image), join(machine.esp, image.replace('.efi', '+1-2.efi')));
  assert.equal((await install(0, '--bootcounting-initial-tries', '3')).status, 0);
  const [ours = '', ...more] = machine.paths(IMAGE);
  assert.match(ours, /\+3\.efi$/);
  assert.deepEqual(more, []);
});

test('records for systemd-pcrlock lie where lanzaboote has them, and tell of these images', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ specialisations: { rescue: {} } }]);
  const directory = join(machine.root, 'pcrlock.d');
  assert.equal((await install(0, '--pcrlock-directory', directory)).status, 0);
  const record = (path: string) => readFileSync(join(directory, path), 'utf8');
  const measured = (pattern: RegExp) => {
    const bytes = readFileSync(join(machine.esp, machine.paths(pattern)[0] ?? ''));
    return `${formatPcrlock(lockPe(bytesSource(bytes), createHash))}\n`;
  };
  const entries = '635-lanzaboote.pcrlock.d';
  assert.equal(record(`${entries}/1.pcrlock`), measured(/generation-1-[a-z2-7]{52}/));
  assert.equal(record(`${entries}/1-rescue.pcrlock`), measured(/-specialisation-rescue-/));
  assert.equal(record('630-bootloader.pcrlock.d/current.pcrlock'), measured(/systemd-bootx64/));
});

test('a new image gets the tries it was told, and keeps what became of them', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  const counting = ['--bootcounting-initial-tries', '2'];
  assert.equal((await install(0, ...counting)).status, 0);
  const [path = ''] = machine.paths(/^EFI\/Linux\/.*-[a-z2-7]{52}\+2\.efi$/);
  renameSync(join(machine.esp, path), join(machine.esp, path.replace('+2', '+1-1')));
  const before = machine.tree();
  assert.equal((await install(0, ...counting)).status, 0);
  assert.deepEqual(machine.tree(), before);
});

test('an init that is not there is a warning, as lanzaboote looks at none', async (t) => {
  for (const init of ['init', '/nix/store/gone/init']) {
    const { machine, install } = anLzbtMachine(t, [{}]);
    const document = join(machine.toplevel(1), 'boot.json');
    const text = readFileSync(document, 'utf8');
    chmodSync(document, 0o644);
    writeFileSync(document, text.replace(/"init": "[^"]*"/, `"init": "${init}"`));
    const { status, error } = await install();
    assert.equal(status, 0, error?.message);
    assert.equal(machine.paths(IMAGE).length, 1);
    // Everyone else is told that such a system does not boot.
    const ours = await machine.run('install');
    assert.notEqual(ours.status, 0);
  }
});
