/** An ESP of nixpkgs' builder for systemd-boot is taken over when that is asked for, and not before. */
import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type BuilderAge, builderInstalls, builderPutsExtra } from './a-builder.ts';
import { aKernel, aMachine } from './a-machine.ts';

const GENERATIONS = [{ kernel: aKernel('old') }, {}, {}];
/** What others may have beside it, some of it with names that come close. */
const FOREIGN = {
  'loader/entries/windows.conf': 'title Windows\nefi /EFI/Microsoft/Boot/bootmgfw.efi\n',
  'loader/entries/nixos-rescue.conf': 'title Rescue\nlinux /EFI/nixos/rescue.efi\n',
  'loader/entries/nixos-generation-9.conf': 'title Mine\nlinux /mine/vmlinuz\n',
  'EFI/nixos/rescue.efi': 'rescue',
  'EFI/Microsoft/Boot/bootmgfw.efi': 'Windows',
  'mine/vmlinuz': 'mine',
};

for (const format of ['uki', 'type1'] as const) {
  for (const age of ['old', 'new'] as const satisfies readonly BuilderAge[]) {
    test(`${format} entries take the place of those of the ${age} builder, and of nothing else`, async (t) => {
      const machine = aMachine(t, { generations: GENERATIONS });
      for (const number of [1, 2, 3]) builderInstalls(machine, number, age);
      for (const [path, text] of Object.entries(FOREIGN)) machine.put(path, text);
      const ran = await machine.run('install', '--adopt', '--format', format);
      assert.equal(ran.status, 0);
      assert.deepEqual([machine.installed(), machine.next()], [[1, 2, 3], 3]);
      for (const [path, text] of Object.entries(FOREIGN)) assert.equal(machine.read(path), text);
      const ours =
        /nixos-generation-\d+-[a-z2-7]{52}|(kernel|initrd)-.*-[a-z2-7]{52}\.efi$|systemd/;
      const left = machine.paths(/./).filter((path) => !(path in FOREIGN) && !ours.test(path));
      assert.deepEqual(left, ['EFI/BOOT/BOOTX64.EFI', 'loader/entries.srel', 'loader/loader.conf']);
      assert.match(machine.read('loader/loader.conf'), /^timeout 7$/m);
      assert.match(machine.read('loader/loader.conf'), /^editor 0$/m);
      const again = await machine.run('install', '--adopt', '--format', format);
      assert.match(again.output, /nothing to do/);
    });
  }
}

describe('until then', () => {
  test('nothing of it is touched by who was not asked to', async (t) => {
    const machine = aMachine(t, { generations: GENERATIONS });
    const theirs = [1, 2, 3].flatMap((number) => Object.values(builderInstalls(machine, number)));
    for (const verb of ['install', 'gc', 'repair']) {
      assert.equal((await machine.run(verb, '--limit', '1')).status, 0, verb);
    }
    const left = machine.paths(/./);
    for (const path of theirs) assert.ok(left.includes(path), path);
  });

  test('a plan shows every file that goes, and that it goes after ours are there', async (t) => {
    const machine = aMachine(t);
    const theirs = Object.values(builderInstalls(machine, 1));
    const before = machine.tree();
    const { status, output } = await machine.run('plan', '--adopt', '--json');
    assert.equal(status, 0);
    assert.deepEqual(machine.tree(), before);
    const { phases } = JSON.parse(output).esps[0].plan;
    const names: string[] = phases.map(({ name }: { name: string }) => name);
    const removed = phases
      .filter(({ name }: { name: string }) => name.startsWith('remove-'))
      .flatMap(({ steps }: { steps: { path: string }[] }) => steps.map(({ path }) => path));
    assert.deepEqual(removed.toSorted(), theirs.toSorted());
    assert.ok(names.indexOf('publish') < names.indexOf('remove-entries'));
    assert.ok(names.indexOf('default') < names.indexOf('remove-entries'));
  });
});

describe('extra files of the builder', () => {
  const MEMTEST = 'EFI/memtest86/memtest.efi';
  const ENTRY = 'loader/entries/memtest86.conf';

  test('go with their marks when they are not declared here, and nothing beside them', async (t) => {
    const machine = aMachine(t);
    builderInstalls(machine, 1);
    builderPutsExtra(machine, MEMTEST, 'memtest');
    builderPutsExtra(machine, ENTRY, `title Memtest\nefi /${MEMTEST}\n`);
    machine.put('EFI/memtest86/mine.cfg', 'mine');
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(machine.read(MEMTEST), 'memtest');
    assert.equal((await machine.run('install', '--adopt')).status, 0);
    assert.deepEqual(machine.paths(/memtest|extra/), ['EFI/memtest86/mine.cfg']);
  });

  test('are ours when they are declared: as they are, or brought up to date', async (t) => {
    const machine = aMachine(t);
    builderInstalls(machine, 1);
    builderPutsExtra(machine, MEMTEST, 'memtest of old');
    builderPutsExtra(machine, ENTRY, 'title Memtest\n');
    const [config, source] = ['espalier.toml', 'memtest'].map((name) => join(machine.root, name));
    assert.ok(config && source);
    writeFileSync(source, 'memtest');
    writeFileSync(
      config,
      `[extra-files]\n"${MEMTEST}" = "${source}"\n[extra-entries]\n"memtest86.conf" = "title Memtest\\n"\n`,
    );
    assert.equal((await machine.run('install', '--adopt', '--config', config)).status, 0);
    assert.equal(machine.read(MEMTEST), 'memtest');
    const { output } = await machine.run('install', '--adopt', '--config', config);
    assert.match(output, /nothing to do/);
    assert.equal((await machine.run('install')).status, 0);
    assert.deepEqual(machine.paths(/memtest|extra/), []);
  });

  test('that it marked and that cannot be are left alone', async (t) => {
    const machine = aMachine(t);
    builderInstalls(machine, 1);
    const marks = ['loader/random-seed', 'loader/keys/auto/db.auth'].map((path) =>
      builderPutsExtra(machine, path, 'what it was'),
    );
    assert.equal((await machine.run('install', '--adopt')).status, 0);
    assert.equal(machine.read('loader/random-seed'), 'what it was');
    assert.equal(machine.read('loader/keys/auto/db.auth'), 'what it was');
    assert.deepEqual(machine.paths(/extra-files/), marks.toSorted());
  });
});

describe('what stays of it', () => {
  test('the entry that is running, with what it names, until another one was booted', async (t) => {
    const machine = aMachine(t, { generations: GENERATIONS });
    const { entry, kernel, initrd } = builderInstalls(machine, 1);
    const counted = entry.replace('.conf', '+2-1.conf');
    renameSync(join(machine.esp, entry), join(machine.esp, counted));
    machine.loaderVariable('LoaderEntrySelected', entry.replace('loader/entries/', ''));
    assert.equal((await machine.run('install', '--adopt')).status, 0);
    const left = machine.paths(/./);
    for (const path of [counted, kernel, initrd]) assert.ok(left.includes(path), path);
  });

  for (const age of ['old', 'new'] as const) {
    test(`the entry of the ${age} builder for a generation that cannot be read`, async (t) => {
      const machine = aMachine(t, { generations: GENERATIONS });
      const theirs = builderInstalls(machine, 1, age);
      writeFileSync(join(machine.toplevel(1), 'boot.json'), '{');
      assert.equal((await machine.run('install', '--adopt')).status, 5);
      const left = machine.paths(/./);
      for (const path of Object.values(theirs)) assert.ok(left.includes(path), path);
    });
  }
});
