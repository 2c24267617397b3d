/** The boot loader on the ESP, its settings, and what else decides what boots. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { formatKept } from '../../src/loader/loader-conf.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { aPe } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, aSystemdBoot, type Machine } from './a-machine.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';

function version(machine: Machine, path: string): string {
  const identity = loaderIdentity(bytesSource(fs.readFileSync(join(machine.esp, path))));
  return identity.kind === 'systemd-boot' ? identity.version : identity.kind;
}

/** The phases of a plan as their names and paths. */
async function phases(machine: Machine): Promise<string[][]> {
  const { output } = await machine.run('plan', '--json');
  const [{ plan }] = JSON.parse(output).esps;
  return plan.phases.map(({ name, steps }: { name: string; steps: { path: string }[] }) => [
    name,
    ...steps.map(({ path }) => path),
  ]);
}

describe('the copies of systemd-boot', () => {
  const rules: readonly (readonly [string, string, string, readonly string[]])[] = [
    ['an older one is replaced', '256.1', '257.9', []],
    ['one as new is kept', '257.9', '257.9', []],
    ['a newer one is kept', '258', '258', []],
    ['a newer one is replaced by force', '258', '257.9', ['--force']],
    ['a release candidate is older than its release', '257.9~rc1', '257.9', []],
  ];
  for (const [rule, installed, expected, args] of rules) {
    test(rule, async (t) => {
      const machine = aMachine(t);
      for (const path of [SYSTEMD, FALLBACK]) machine.put(path, aSystemdBoot(installed));
      assert.equal((await machine.run('install', ...args)).status, 0);
      for (const path of [SYSTEMD, FALLBACK]) assert.equal(version(machine, path), expected);
    });
  }

  test('one of them that is missing or cut short is written, the other is left alone', async (t) => {
    const machine = aMachine(t);
    machine.put(SYSTEMD, aSystemdBoot('257.9').subarray(0, 900));
    machine.put(FALLBACK, aSystemdBoot('300'));
    await machine.run('install');
    assert.equal(version(machine, SYSTEMD), '257.9');
    assert.equal(version(machine, FALLBACK), '300');
  });

  test('the two are written one after the other, with a barrier between', async (t) => {
    const machine = aMachine(t);
    for (const path of [SYSTEMD, FALLBACK]) machine.put(path, aSystemdBoot('250'));
    const loaders = (await phases(machine)).filter(([name]) => name === 'loader');
    assert.deepEqual(loaders, [
      ['loader', SYSTEMD],
      ['loader', FALLBACK],
    ]);
  });

  test('the one that would not start is written before the one that does', async (t) => {
    const machine = aMachine(t);
    machine.put(SYSTEMD, aSystemdBoot('250'));
    machine.put(FALLBACK, 'damaged');
    const loaders = (await phases(machine)).filter(([name]) => name === 'loader');
    assert.deepEqual(loaders, [
      ['loader', FALLBACK],
      ['loader', SYSTEMD],
    ]);
  });

  test('a foreign BOOTX64.EFI is left alone, with a warning and even by force', async (t) => {
    const machine = aMachine(t);
    machine.put(FALLBACK, aPe());
    const before = machine.tree()[FALLBACK];
    for (const args of [[], ['--force']]) {
      const { status, output } = await machine.run('install', '--json', ...args);
      assert.equal(status, 5);
      assert.match(
        JSON.parse(output).warnings[0],
        /BOOTX64\.EFI is left alone: .*another system may start from it/,
      );
      assert.equal(machine.tree()[FALLBACK], before);
    }
    assert.equal(version(machine, SYSTEMD), '257.9');
  });

  test('with a key both are signed, and one whose signature is not ours is replaced', async (t) => {
    const machine = aMachine(t);
    const key = join(machine.root, 'db.key');
    fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
    const args = ['--certificate', certificatePath, '--private-key', key, '--quiet'];
    const install = () => machine.runWith({}, 'install', ...machine.arguments(), ...args);
    assert.equal((await install()).status, 0);
    const before = machine.tree();
    assert.match((await install()).output, /nothing to do/);
    // Newer, and yet firmware would not start it.
    machine.put(SYSTEMD, aSystemdBoot('300'));
    assert.match((await install()).output, /1 written/);
    assert.deepEqual(machine.tree(), before);
    const signed = fs.readFileSync(join(machine.esp, FALLBACK));
    const last = signed[signed.length - 1] ?? 0;
    machine.put(FALLBACK, signed.fill(last ^ 1, signed.length - 9, signed.length - 8));
    assert.equal((await install()).status, 0);
    assert.deepEqual(machine.tree(), before);
  });

  test('a rotated certificate gets new images and new loaders', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    const [before] = machine.paths(/nixos-generation-1-/);
    const key = join(machine.root, 'db.key');
    fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
    const args = ['--certificate', certificatePath, '--private-key', key, '--quiet'];
    await machine.runWith({}, 'install', ...machine.arguments(), ...args);
    const after = machine.paths(/nixos-generation-1-/);
    assert.equal(after.length, 1);
    assert.notEqual(after[0], before);
  });
});

describe('loader.conf', () => {
  const size = (machine: Machine) => fs.statSync(join(machine.esp, 'loader/loader.conf')).size;

  test('it is one sector from the first run on, and is overwritten where it lies', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    assert.equal(size(machine), 512);
    const { ino } = fs.statSync(join(machine.esp, 'loader/loader.conf'));
    await machine.run('install', machine.toplevel(1));
    assert.equal(machine.next(), 1);
    assert.equal(size(machine), 512);
    assert.equal(fs.statSync(join(machine.esp, 'loader/loader.conf')).ino, ino);
  });

  test('a foreign one is migrated once and keeps its settings, but for what boots', async (t) => {
    const machine = aMachine(t);
    const text = `# mine\ntimeout 11\ndefault windows.conf\npreferred x\neditor no\n${'#'.repeat(700)}`;
    machine.put('loader/loader.conf', text);
    await machine.run('install');
    assert.equal(size(machine), 512);
    const conf = machine.read('loader/loader.conf');
    assert.match(conf, /^timeout 11$/m);
    assert.match(conf, /^editor no$/m);
    assert.doesNotMatch(conf, /windows|preferred/);
    assert.match((await machine.run('install')).output, /nothing to do/);
  });

  test('a replacement that was cut short loses no settings, whatever loader.conf is then', async (t) => {
    const machine = aMachine(t);
    machine.put('loader/loader.conf', `timeout 11\neditor no\n${'#'.repeat(700)}`);
    assert.equal((await machine.run('install')).status, 0);
    const whole = machine.tree();
    const settings = machine.read('loader/loader.conf');
    for (const cut of ['', 'timeout 1', 'x'.repeat(512), '\0'.repeat(4096), undefined]) {
      machine.put('loader/espalier-settings.conf', formatKept(settings));
      fs.rmSync(`${machine.esp}/loader/loader.conf`);
      if (cut !== undefined) machine.put('loader/loader.conf', cut);
      assert.equal((await machine.run('install')).status, 0);
      assert.deepEqual(machine.tree(), whole, cut);
    }
  });

  test('settings come from the file that is given, else from the configuration', async (t) => {
    const machine = aMachine(t);
    const given = join(machine.root, 'loader.conf');
    fs.writeFileSync(given, 'timeout 2\nconsole-mode max\n');
    await machine.run('install', '--loader-conf', given);
    assert.match(machine.read('loader/loader.conf'), /^timeout 2\nconsole-mode max$/m);
    const config = join(machine.root, 'espalier.toml');
    fs.writeFileSync(config, '[loader]\ntimeout = "menu-force"\nauto-firmware = false\n');
    await machine.run('install', '--config', config);
    assert.match(machine.read('loader/loader.conf'), /^timeout menu-force\nauto-firmware false$/m);
  });

  test('a misspelt key in the file that is given is refused with the nearest one', async (t) => {
    const machine = aMachine(t);
    const given = join(machine.root, 'given.conf');
    const before = machine.tree();
    for (const [line, hint] of [
      ['timout 2', 'did you mean timeout?'],
      ['editr no', 'did you mean editor?'],
      ['prefered nixos-*', 'did you mean preferred?'],
      ['xyzzy 1', /it knows default, preferred, timeout/],
    ] as const) {
      fs.writeFileSync(given, `console-mode max\n${line}\n`);
      const { status, error } = await machine.run('install', '--loader-conf', given);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', /given\.conf: "\w+" is no setting of loader\.conf/);
      assert.match(
        error?.hint ?? '',
        typeof hint === 'string' ? new RegExp(hint.slice(0, -1)) : hint,
      );
      assert.deepEqual(machine.tree(), before);
    }
  });

  test('settings that do not fit into a sector are a mistake, and nothing is touched', async (t) => {
    const machine = aMachine(t);
    const given = join(machine.root, 'loader.conf');
    fs.writeFileSync(given, `timeout 1\nlog-level ${'y'.repeat(600)}\n`);
    const before = machine.tree();
    const { status, error } = await machine.run('install', '--loader-conf', given);
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /loader\.conf: expected at most 512 bytes/);
    assert.deepEqual(machine.tree(), before);
  });

  test('what cannot stay of the settings on the ESP is told once, and stops nothing', async (t) => {
    const machine = aMachine(t);
    machine.put('loader/loader.conf', `timeout 1\nbeep ${'y'.repeat(600)}\n\u0001x y\neditor no\n`);
    const { status, output } = await machine.run('install', '--json');
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings[0], /left out: "beep", "\\u0001x"$/);
    assert.match(machine.read('loader/loader.conf'), /^timeout 1\neditor no$/m);
    assert.equal((await machine.run('install')).status, 0);
  });

  test('an empty one is nobody’s choice: the menu is shown as where there is none', async (t) => {
    const machine = aMachine(t);
    machine.put('loader/loader.conf', '');
    await machine.run('install');
    assert.match(machine.read('loader/loader.conf'), /^timeout 5$/m);
  });
});

describe('EFI variables', () => {
  for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot']) {
    test(`${name} that would boot something else is told with what clears it`, async (t) => {
      const machine = aMachine(t);
      machine.loaderVariable(name, 'windows.conf');
      const { status, output } = await machine.run('install', '--json');
      assert.equal(status, 5);
      const [warning] = JSON.parse(output).warnings;
      assert.match(warning, new RegExp(`${name} is "windows.conf" and overrides .*bootctl set-`));
      assert.deepEqual(machine.installed(), [1]);
    });
  }

  test('a variable that means what was installed is not worth a word', async (t) => {
    const machine = aMachine(t);
    machine.loaderVariable('LoaderEntryDefault', 'nixos-generation-1-*');
    assert.equal((await machine.run('install')).status, 0);
  });
});
