/** `verify`, `repair`, `gc`, `pin` and `unpin`: what a person needs when something is wrong. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { acquireLock, lockDirectory } from '../../src/transaction/lock.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** Flips one bit of a file on the ESP where a text stands, and leaves its size alone. */
function flip(machine: Machine, pattern: RegExp, text: string): string {
  const [path] = machine.paths(pattern);
  assert.ok(path, `no file like ${pattern}`);
  const bytes = fs.readFileSync(join(machine.esp, path));
  const offset = bytes.lastIndexOf(text);
  assert.ok(offset >= 0, `no ${text} in ${path}`);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  machine.put(path, bytes);
  return path;
}

const pinsOf = (machine: Machine) => ['--pins', join(machine.root, 'pins')];

for (const format of ['uki', 'type1'] as const) {
  test(`a fresh ${format} ESP passes both verifications`, async (t) => {
    const machine = aMachine(t, { generations: [{}, { specialisations: { a: {} } }] });
    await machine.run('install', '--format', format);
    for (const deep of [[], ['--deep']]) {
      const { status, output } = await machine.run('verify', ...deep);
      assert.equal(status, 0, output);
      assert.match(output, /all is well/);
    }
  });
}

test('a flipped bit in an initrd is seen by the deep verification alone, and repaired', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  await machine.run('install', '--format', 'type1');
  const before = machine.tree();
  const path = flip(machine, /initrd/, 'o');
  assert.equal((await machine.run('verify')).status, 0);
  const deep = await machine.run('verify', '--deep');
  assert.notEqual(deep.status, 0);
  assert.ok(deep.output.includes(path), deep.output);
  const repaired = await machine.run('repair', '--format', 'type1');
  assert.match(repaired.output, /1 written/);
  assert.deepEqual(machine.tree(), before);
});

for (const format of ['uki', 'type1'] as const) {
  test(`an entry of format ${format} under the number of another generation is damaged`, async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install', '--format', format);
    const [path = ''] = machine.paths(/generation-1-/);
    const renamed = path.replace('generation-1-', 'generation-2-');
    fs.renameSync(join(machine.esp, path), join(machine.esp, renamed));
    const { status, output } = await machine.run('verify');
    assert.equal(status, 5);
    assert.match(output, /generation-2-.*it is of generation 1, and its name says 2/);
  });
}

test('damage of what boots next is status 1, of another generation status 5', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  await machine.run('install');
  flip(machine, /generation-1-/, 'one');
  assert.equal((await machine.run('verify', '--deep')).status, 5);
  flip(machine, /generation-2-/, 'two');
  assert.equal((await machine.run('verify', '--deep')).status, 1);
});

test('a signed image with a flipped bit is damaged, one of another certificate is not', async (t) => {
  const machine = aMachine(t);
  const keys = ['--certificate', 'fixtures/keys/db.pem', '--private-key', 'fixtures/keys/db.key'];
  const { status, error } = await machine.runWith(
    {},
    ...['install', ...machine.arguments(), ...keys, '--allow-insecure-key'],
  );
  assert.equal(status, 0, error?.message);
  assert.equal((await machine.run('verify', '--deep')).status, 0);
  flip(machine, /generation-1-/, 'init=');
  assert.equal((await machine.run('verify', '--deep')).status, 1);
});

test('one damaged loader copy needs a look, two are a machine that does not start', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  fs.truncateSync(join(machine.esp, 'EFI/BOOT/BOOTX64.EFI'), 100);
  assert.equal((await machine.run('verify')).status, 5);
  fs.truncateSync(join(machine.esp, 'EFI/systemd/systemd-bootx64.efi'), 100);
  assert.equal((await machine.run('verify')).status, 1);
  await machine.run('repair');
  assert.equal((await machine.run('verify')).status, 0);
});

test('a repair adds no entry, removes none and leaves alone what boots next', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }] });
  await machine.run('install');
  machine.generations([{ initrd: 'one' }, { initrd: 'two' }]);
  fs.unlinkSync(machine.link(1));
  const before = machine.tree();
  const { output, error } = await machine.run('repair');
  assert.match(output, /nothing to do/, error?.message);
  assert.deepEqual(machine.tree(), before);
});

test('a blob that is gone is put back by a repair, because an entry names it', async (t) => {
  const machine = aMachine(t);
  await machine.run('install', '--format', 'type1');
  const before = machine.tree();
  const [initrd = ''] = machine.paths(/initrd/);
  fs.unlinkSync(join(machine.esp, initrd));
  await machine.run('repair', '--format', 'type1');
  assert.deepEqual(machine.tree(), before);
});

test('a collection removes deleted generations and writes nothing', async (t) => {
  const machine = aMachine(t, {
    generations: [{ initrd: 'one' }, { initrd: 'two' }, { initrd: 'three' }],
  });
  await machine.run('install', '--format', 'type1');
  const before = machine.tree();
  fs.unlinkSync(machine.link(1));
  const { output } = await machine.run('gc', '--format', 'type1');
  assert.match(output, /0 written .*, 2 removed/);
  assert.deepEqual(machine.installed(), [2, 3]);
  const kept = Object.entries(machine.tree());
  for (const [path, digest] of kept) assert.equal(before[path], digest);
});

test('a collection with the wrong settings removes no entry whose successor is not there', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await machine.run('install', '--format', 'uki');
  const before = machine.tree();
  await machine.run('gc', '--format', 'type1');
  assert.deepEqual(machine.tree(), before);
});

test('a collection spares the last entry that boots, even if no profile has it', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }] });
  await machine.run('install');
  machine.generations([{ initrd: 'one' }, { initrd: 'two' }]);
  fs.unlinkSync(machine.link(1));
  await machine.run('gc');
  assert.deepEqual(machine.installed(), [1]);
});

test('a pinned generation stays over the limit and after its link is deleted, until it is unpinned', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}, {}] });
  const pins = pinsOf(machine);
  assert.equal((await machine.run('pin', '1', ...pins)).status, 0);
  await machine.run('install', '--limit', '1', ...pins);
  assert.deepEqual(machine.installed(), [1, 3]);
  const before = machine.tree();
  fs.unlinkSync(machine.link(1));
  await machine.run('install', '--limit', '1', ...pins);
  assert.deepEqual(machine.tree(), before);
  assert.match((await machine.run('list', ...pins)).output, /^1 .* pinned$/m);
  assert.equal((await machine.run('unpin', '1', ...pins)).status, 0);
  await machine.run('install', '--limit', '1', ...pins);
  assert.deepEqual(machine.installed(), [3]);
});

test('pinning what is not there names what is; unpinning what is not pinned says so', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const missing = await machine.run('pin', '7', ...pinsOf(machine));
  assert.equal(missing.status, 2);
  assert.match(missing.error?.hint ?? '', /name one of 2, 1/);
  assert.equal((await machine.run('unpin', '1', ...pinsOf(machine))).status, 2);
});

/** Does something the first time that a file whose path matches is looked for. */
function once(pattern: RegExp, work: () => void): Partial<WritableDisk> {
  const real = nodeDisk();
  let isDone = false;
  const before = (path: string): void => {
    if (isDone || !pattern.test(path)) return;
    isDone = true;
    work();
  };
  return {
    stat: (path) => {
      before(path);
      return real.stat(path);
    },
    open: (path) => {
      before(path);
      return real.open(path);
    },
  };
}

for (const [format, pattern] of [
  ['uki', /EFI\/Linux\/nixos-generation-1-/],
  ['type1', /EFI\/nixos\/initrd-/],
] as const) {
  test(`what another run removes while entries of format ${format} are verified is no damage`, async (t) => {
    for (const deep of [[], ['--deep']]) {
      const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
      await machine.run('install', '--format', format);
      const gone = machine.paths(/generation-1-/)[0] ?? '';
      const initrd = /initrd (\S+)/.exec(machine.read(gone))?.[1];
      const disk = once(pattern, () => {
        for (const path of [gone, ...(initrd ? [initrd] : [])]) {
          fs.rmSync(join(machine.esp, path));
        }
      });
      const args = [...machine.arguments(), ...deep];
      const { status, output } = await machine.runWith({ disk }, 'verify', ...args);
      assert.equal(status, 0, output);
      assert.equal(fs.existsSync(join(machine.esp, gone)), false);
    }
  });
}

test('while another run is at work, what is not as it should be is not called damage', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  machine.put('EFI/Linux/.espalier-1-1.tmp', 'half');
  const { device, inode } = nodeDisk().stat(machine.esp) ?? { device: 0, inode: 0 };
  const lock = await acquireLock({
    disk: nodeDisk(),
    directory: lockDirectory(machine.environment(), 1),
    key: `${device.toString(16)}-${inode.toString(16)}`,
    verb: 'install',
    timeoutSeconds: 0,
  });
  const busy = await machine.run('verify', '--lock-timeout', '0');
  assert.deepEqual([busy.status, busy.error?.code], [1, 'LOCKED']);
  lock.release();
  const free = await machine.run('verify', '--lock-timeout', '0');
  assert.equal(free.status, 5);
  assert.match(free.output, /a killed run left it/);
});
