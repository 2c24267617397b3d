/** `--root`: a machine that does not start, mounted on one that does. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findParts } from '../lab/parts.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** Everything below a directory; links are not followed. */
function* below(directory: string): Generator<fs.Dirent> {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    yield entry;
    if (entry.isDirectory()) yield* below(join(directory, entry.name));
  }
}

/** Makes the links and documents of a machine absolute within itself, as on a disk mounted elsewhere. */
function detach({ root }: Machine): void {
  for (const entry of [...below(root)]) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) {
      const { mtimeMs } = fs.lstatSync(path);
      const target = fs.readlinkSync(path);
      fs.unlinkSync(path);
      fs.symlinkSync(target.startsWith(root) ? target.slice(root.length) : target, path);
      fs.lutimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
    } else if (entry.name === 'boot.json') {
      fs.chmodSync(path, 0o600);
      fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replaceAll(root, ''));
    }
  }
}

const inside = [
  ...['--esp', '/esp', '--allow-directory', '--profiles', '/nix/var/nix/profiles'],
  ...['--systemd', '/systemd', '--booted', '/booted', '--cache-dir', '/cache'],
  ...['--allow-unsigned', '--quiet'],
];

for (const format of ['uki', 'type1'] as const) {
  test(`a ${format} ESP made through --root is the one that the machine itself would make`, async (t) => {
    const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
    detach(machine);
    const args = ['--root', machine.root, ...inside, '--format', format];
    const { status, error } = await machine.runWith({}, 'install', ...args);
    assert.equal(status, 0, error?.message);
    assert.deepEqual(machine.installed(), [1, 2]);
    const again = await machine.runWith({}, 'plan', ...args);
    assert.match(again.output, /^\/esp: nothing to do/);
    assert.equal((await machine.runWith({}, 'verify', '--deep', ...args)).status, 0);
  });
}

test('an XBOOTLDR partition is below --root, too', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  fs.mkdirSync(join(machine.root, 'xbootldr'));
  const args = ['--root', machine.root, ...inside, '--xbootldr', '/xbootldr'];
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  assert.deepEqual(machine.installed(), []);
  const there = Object.keys(machine.tree(join(machine.root, 'xbootldr')));
  assert.deepEqual(
    there.filter((path) => !/^(EFI\/Linux|loader\/entries)/.test(path)),
    [],
  );
  assert.equal((await machine.runWith({}, 'verify', '--deep', ...args)).status, 0);
});

test('records for systemd-pcrlock are kept below --root, and once', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  const directory = join(machine.root, 'var/lib/pcrlock.d/635-lanzaboote.pcrlock.d');
  const args = ['--root', machine.root, ...inside, '--pcrlock-directory', '/var/lib/pcrlock.d'];
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  const { ino } = fs.lstatSync(join(directory, '1.pcrlock'));
  assert.match(fs.readFileSync(join(directory, '1.pcrlock'), 'utf8'), /^\{"records":/);
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  assert.equal(fs.lstatSync(join(directory, '1.pcrlock')).ino, ino);
});

test('no link inside leads out of the root', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  const outside = join(machine.root, '..', 'espalier-outside');
  fs.symlinkSync(
    `../../../../../../..${outside}`,
    join(machine.root, 'nix/var/nix/profiles/system-9-link'),
  );
  const { error, status } = await machine.runWith({}, 'install', '--root', machine.root, ...inside);
  assert.equal(status, 5, error?.message);
  assert.equal(fs.existsSync(outside), false);
});

test('the target is named by its path inside', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  detach(machine);
  const link = '/nix/var/nix/profiles/system-1-link';
  await machine.runWith({}, 'install', '--root', machine.root, ...inside, link);
  assert.equal(machine.next(), 1);
});

test('a root that is not there is a mistake of the command line', async (t) => {
  const machine = aMachine(t);
  const { status, error } = await machine.runWith({}, 'install', '--root', '/nowhere', ...inside);
  assert.equal(status, 2);
  assert.match(error?.message ?? '', /--root \/nowhere/);
});

test('the secrets program of a mounted system runs inside of it', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('SKIPPED, needs root: chroot');
  const busybox = findParts()?.busybox;
  if (busybox === undefined) return t.skip('SKIPPED, missing parts: node test/lab/fetch.ts');
  const machine = aMachine(t, {
    generations: [{ secrets: 'cat /secret >> "$1"' }],
  });
  detach(machine);
  fs.mkdirSync(join(machine.root, 'bin'));
  fs.mkdirSync(join(machine.root, 'run'));
  fs.copyFileSync(busybox, join(machine.root, 'bin/sh'));
  fs.copyFileSync(busybox, join(machine.root, 'bin/cat'));
  fs.writeFileSync(join(machine.root, 'secret'), 'from inside');
  const args = ['--root', machine.root, ...inside, '--format', 'type1'];
  const { status, error } = await machine.runWith({}, 'install', ...args);
  assert.equal(status, 0, error && `${error.message} ${error.cause}`);
  const [initrd = ''] = machine.paths(/initrd/);
  assert.match(machine.read(initrd), /from inside$/);
});
