/** What changes how a machine boots and is not ours: addons, credentials, extensions, keys that enrol themselves. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine } from './a-machine.ts';

const CONF = 'loader/loader.conf';
const look = (machine: Machine, verb: string, ...args: readonly string[]) =>
  machine.runWith({}, verb, ...machine.arguments(), '--allow-unsigned', '--quiet', ...args);

async function aMachineWithCompanions(t: TestContext): Promise<Machine> {
  const machine = aMachine(t);
  await machine.run('install');
  const image = basename(machine.paths(/nixos-generation-1-/)[0] ?? '');
  machine.put('loader/addons/debug.addon.efi', 'addon');
  machine.put('loader/credentials/wifi.cred', 'credential');
  machine.put('loader/extensions/tools.sysext.raw', 'extension');
  machine.put(`EFI/Linux/${image}.extra.d/serial.addon.efi`, 'addon');
  machine.put('EFI/Linux/windows.efi.extra.d/other.confext.raw', 'extension');
  return machine;
}

const NAMED = [
  'loader/addons/debug.addon.efi',
  'loader/credentials/wifi.cred',
  'loader/extensions/tools.sysext.raw',
  'serial.addon.efi',
  'other.confext.raw',
];

for (const verb of ['list', 'verify', 'status']) {
  test(`${verb} shows what is added to images, as not ours and no damage`, async (t) => {
    const machine = await aMachineWithCompanions(t);
    const { status, output } = await look(machine, verb);
    assert.equal(status, 0, output);
    for (const path of NAMED) {
      // A line goes on below, further to the right: of `status` behind its labels.
      const lines = output.replace(verb === 'list' ? /\n {2}/g : /\n {14,}/g, ' ').split('\n');
      const line = lines.find((each) => each.includes(path)) ?? '';
      assert.match(line, /not Espalier’s: an? (addon|credential|extension)/, path);
    }
    const [{ notes }] = JSON.parse((await look(machine, verb, '--json')).output).esps;
    assert.equal(notes.length, 5);
  });
}

test('no run removes or changes them', async (t) => {
  const machine = await aMachineWithCompanions(t);
  const before = machine.tree();
  for (const verb of ['install', 'repair', 'gc']) {
    assert.equal((await machine.run(verb)).status, 0);
    assert.deepEqual(machine.tree(), before);
  }
});

test('what no stub reads is not shown: hidden files, other names, directories', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  machine.put('loader/addons/.hidden.addon.efi', 'x');
  machine.put('loader/addons/plain.efi', 'x');
  machine.put('loader/credentials/directory.cred/inside', 'x');
  machine.put('EFI/Linux/notes.d/x.addon.efi', 'x');
  assert.equal((await look(machine, 'verify')).output, `${machine.esp}: all is well`);
});

test('a name cannot steer the terminal', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  machine.put('loader/addons/\u001b[2J.addon.efi', 'x');
  for (const verb of ['list', 'verify', 'status']) {
    assert.doesNotMatch((await look(machine, verb)).output, /[^\P{C}\n]/u);
  }
});

describe('with a key', () => {
  function install(machine: Machine, ...args: readonly string[]) {
    const key = join(machine.root, 'db.key');
    fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
    const keys = ['--certificate', certificatePath, '--private-key', key, '--quiet'];
    return machine.runWith({}, 'install', ...machine.arguments(), ...keys, ...args);
  }

  test('the editor is off, and stays so from run to run', async (t) => {
    const machine = aMachine(t);
    assert.equal((await install(machine)).status, 0);
    assert.match(machine.read(CONF), /^timeout 5\neditor no$/m);
    assert.match((await install(machine)).output, /nothing to do/);
  });

  test('the editor is as the configuration or the file says', async (t) => {
    const machine = aMachine(t);
    const config = join(machine.root, 'espalier.toml');
    fs.writeFileSync(config, '[loader]\neditor = true\n');
    await install(machine, '--config', config);
    assert.match(machine.read(CONF), /^editor true$/m);
    const given = join(machine.root, 'given.conf');
    fs.writeFileSync(given, 'timeout 3\n');
    await install(machine, '--loader-conf', given);
    assert.match(machine.read(CONF), /^timeout 3\neditor no$/m);
    fs.writeFileSync(given, 'timeout 3\neditor yes\n');
    await install(machine, '--loader-conf', given);
    assert.match(machine.read(CONF), /^timeout 3\neditor yes$/m);
  });

  test('the editor is off in place of a setting of a long file that has no room', async (t) => {
    const machine = aMachine(t);
    machine.put(CONF, `timeout 3\nconsole-mode ${'x'.repeat(385)}\nbeep no\n`.padEnd(600, '\n'));
    await install(machine);
    assert.match(machine.read(CONF), /^editor no$/m);
    assert.equal(fs.statSync(join(machine.esp, CONF)).size, 512);
  });
});

test('without a key nothing is said about the editor', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  assert.doesNotMatch(machine.read(CONF), /editor/);
});

test('secure-boot-enroll force of somebody else is told until a configuration says so', async (t) => {
  const machine = aMachine(t);
  machine.put(CONF, 'timeout 3\nsecure-boot-enroll force\n');
  for (let run = 0; run < 2; run++) {
    const { status, output } = await machine.run('install', '--json');
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings[0], /secure-boot-enroll force, and no configuration/);
  }
  for (const verb of ['list', 'verify', 'status']) {
    assert.match((await look(machine, verb)).output, /secure-boot-enroll force: in\s+Setup Mode/);
  }
  const config = join(machine.root, 'espalier.toml');
  fs.writeFileSync(config, '[loader]\nsecure-boot-enroll = "force"\n');
  assert.equal((await machine.run('install', '--config', config)).status, 0);
  fs.writeFileSync(config, '[loader]\nsecure-boot-enroll = "off"\n');
  assert.equal((await machine.run('install', '--config', config)).status, 0);
  assert.doesNotMatch((await look(machine, 'verify')).output, /secure-boot-enroll/);
});
