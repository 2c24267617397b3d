/** Initrds that a system expects on the ESP (org.nixos.extra-initrd.v1), put there by others. */
import assert from 'node:assert/strict';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { EspError, explain } from '../../src/error.ts';
import { aMachine, type Machine, type Ran } from './a-machine.ts';

const EXTRA = 'EFI/firmware/wifi.cpio';
const TYPE1 = ['--format', 'type1'];

/** Returns a machine whose newest generation, the second, expects files on the ESP. */
function anExtraMachine(t: TestContext, paths: readonly string[] = [EXTRA]): Machine {
  const extensions = { 'org.nixos.extra-initrd.v1': { paths } };
  return aMachine(t, { generations: [{}, { extensions }] });
}

/** The text of the entry of a generation. */
function entryOf(machine: Machine, number: number): string {
  const [path = ''] = machine.paths(new RegExp(`^loader/entries/nixos-generation-${number}-`));
  return machine.read(path);
}

describe('an initrd that others put on the ESP', () => {
  test('follows our own in the entry, in the order of the bootspec', async (t) => {
    const machine = anExtraMachine(t, [EXTRA, 'z', 'a b.cpio']);
    for (const path of [EXTRA, 'z', 'a b.cpio']) machine.put(path, 'cpio');
    assert.equal((await machine.run('install', ...TYPE1)).status, 0);
    assert.deepEqual(
      entryOf(machine, 2)
        .match(/^initrd .*/gm)
        ?.slice(1),
      ['initrd /EFI/firmware/wifi.cpio', 'initrd /z', 'initrd /a b.cpio'],
    );
    assert.match(entryOf(machine, 2).match(/^initrd .*/m)?.[0] ?? '', /\/EFI\/nixos\/initrd-/);
    assert.equal(entryOf(machine, 1).match(/^initrd .*/gm)?.length, 1);
    assert.equal(machine.next(), 2);
    assert.match((await machine.run('install', ...TYPE1)).output, /nothing to do/);
  });

  test('stays, and is used: even where all that nothing uses is taken over and removed', async (t) => {
    const inOurs = 'EFI/nixos/wifi.cpio';
    const machine = anExtraMachine(t, [EXTRA, inOurs]);
    for (const path of [EXTRA, inOurs]) machine.put(path, 'cpio');
    for (const verb of ['install', 'repair', 'gc']) {
      assert.equal((await machine.run(verb, '--adopt', ...TYPE1)).status, 0, verb);
      for (const path of [EXTRA, inOurs]) assert.equal(machine.read(path), 'cpio');
    }
  });

  test('that is not there is told, and another system boots next until it is', async (t) => {
    const machine = anExtraMachine(t);
    assert.equal((await machine.run('install', ...TYPE1)).status, 5);
    assert.deepEqual([machine.installed(), machine.next()], [[1, 2], 1]);
    const { output } = await machine.run('list');
    assert.match(output, /^2: damaged: EFI\/firmware\/wifi\.cpio is not there$/m);
    machine.put(EXTRA, 'cpio');
    assert.equal((await machine.run('install', ...TYPE1)).status, 0);
    assert.equal(machine.next(), 2);
  });

  test('and is declared as an extra file is stored under its digest, and stays while it changes', async (t) => {
    const machine = anExtraMachine(t, [EXTRA, 'z']);
    machine.put('z', 'of others');
    const [config, source] = ['espalier.toml', 'wifi'].map((name) => join(machine.root, name));
    assert.ok(config && source);
    writeFileSync(config, `[extra-files]\n"${EXTRA}" = "${source}"\n`);
    for (const content of ['first', 'second']) {
      writeFileSync(source, content);
      const install = (): Promise<Ran> => machine.run('install', '--config', config, ...TYPE1);
      assert.equal((await install()).status, 0);
      assert.match((await install()).output, /nothing to do/);
      const [own, extra, other] = entryOf(machine, 2).match(/(?<=^initrd \/).*/gm) ?? [];
      assert.ok(own && extra && other === 'z');
      assert.match(extra, /^EFI\/nixos\/initrd-.*\.efi$/);
      assert.deepEqual([machine.read(extra), machine.read(EXTRA)], [content, content]);
    }
    assert.equal(machine.paths(/^EFI\/nixos\/initrd-/).length, 2);
  });

  test('is in no image: what is signed never comes from an ESP', async (t) => {
    const machine = anExtraMachine(t);
    machine.put(EXTRA, 'cpio');
    const ran = await machine.run('install');
    assert.equal(ran.error?.code, 'TARGET_BROKEN');
    assert.match(explain(ran.error), /EFI\/firmware\/wifi\.cpio.*format uki/);
    assert.deepEqual(Object.keys(machine.tree()), [EXTRA]);
    assert.equal((await machine.run('install', machine.link(1))).status, 5);
    assert.deepEqual(machine.installed(), [1]);
  });

  for (const path of ['/EFI/x', '../x', 'EFI/../x', 'EFI//x', 'EFI\\x', ' x', '"x"', '', 'a\nb']) {
    test(`is not looked for at ${JSON.stringify(path)}`, async (t) => {
      const machine = anExtraMachine(t, [path]);
      const ran = await machine.run('install', ...TYPE1);
      assert.equal(ran.error?.code, 'TARGET_BROKEN');
      const { cause } = ran.error ?? {};
      assert.equal(cause instanceof EspError && cause.code, 'BOOTSPEC_MALFORMED');
    });
  }

  test('does not keep an entry that names it from being the last that boots', async (t) => {
    const machine = anExtraMachine(t);
    machine.put(EXTRA, 'cpio');
    await machine.run('install', ...TYPE1);
    rmSync(join(machine.esp, machine.paths(/nixos-generation-1-/)[0] ?? ''));
    rmSync(machine.link(2));
    rmSync(join(machine.profiles, 'system'));
    symlinkSync('system-1-link', join(machine.profiles, 'system'));
    assert.equal((await machine.run('gc', ...TYPE1)).status, 0);
    assert.deepEqual(machine.installed(), [2]);
  });
});
