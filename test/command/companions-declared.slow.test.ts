/** Addons, credentials and extensions that the settings declare: built, copied, healed and collected. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { aPe } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aMachine } from './a-machine.ts';

const ADDON = 'loader/addons/console.addon.efi';
const CREDENTIAL = 'loader/credentials/wifi.cred';
const EXTENSION = 'loader/extensions/tools.sysext.raw';
const ALL = [ADDON, CREDENTIAL, EXTENSION];
const KEYS = ['--certificate', certificatePath, '--private-key', privateKeyPath];

function aMachineWithCompanions(t: TestContext) {
  const machine = aMachine(t);
  const path = (name: string) => join(machine.root, name);
  const stub = { name: '.text', bytes: Buffer.from('stub') };
  fs.writeFileSync(
    join(machine.systemd, 'lib/systemd/boot/efi/addonx64.efi.stub'),
    aPe({ sizeOfHeaders: 0x1000, sections: [stub] }),
  );
  fs.writeFileSync(path('wifi'), 'sealed');
  fs.writeFileSync(path('tools'), 'extension');
  fs.writeFileSync(path('extra.cpio'), '070701');
  const declare = (...lines: string[]) => fs.writeFileSync(path('config.toml'), lines.join('\n'));
  const all = [
    '[addons]',
    `console = { cmdline = "console=ttyS0", initrd = "${path('extra.cpio')}" }`,
    '[credentials]',
    `"wifi.cred" = "${path('wifi')}"`,
    '[extensions]',
    `"tools.sysext.raw" = "${path('tools')}"`,
  ];
  const config = ['--config', path('config.toml')];
  const install = (...args: string[]) =>
    machine.runWith(
      {},
      ...['install', ...machine.arguments(), ...KEYS, '--allow-insecure-key', '--quiet'],
      ...config,
      ...args,
    );
  return { machine, path, declare, all, config, install };
}

test('what is declared is there for every image, healed when it is damaged, and gone when it is declared no more', async (t) => {
  const { machine, declare, all, install } = aMachineWithCompanions(t);
  declare(...all);
  assert.equal((await install()).error, undefined);
  assert.equal(machine.read(CREDENTIAL), 'sealed');
  assert.equal(machine.read(EXTENSION), 'extension');
  const tree = machine.tree();
  assert.match((await install()).output, /nothing to do/);
  for (const path of [ADDON, CREDENTIAL, EXTENSION]) {
    fs.rmSync(join(machine.esp, path));
    await install();
    assert.deepEqual(machine.tree(), tree, path);
  }
  declare('[credentials]', all[3] ?? '');
  assert.equal((await install()).status, 0);
  assert.deepEqual(machine.paths(/^loader\/(addons|credentials|extensions)\//), [CREDENTIAL]);
});

test('an addon carries what it adds, and our signature', {
  skip: missingTools(['sbsigntool']).length > 0 && 'SKIPPED, needs sbsigntool',
}, async (t) => {
  const { machine, declare, all, install } = aMachineWithCompanions(t);
  declare(...all);
  await install();
  const addon = join(machine.esp, ADDON);
  run('sbverify', ['--cert', certificatePath, addon]);
  const { output } = await machine.runWith({}, 'uki', 'inspect', '--json', addon);
  const report = JSON.parse(output);
  assert.equal(report['.cmdline'].text, 'console=ttyS0');
  assert.equal(report['.initrd'].size, 6);
  assert.equal(report['.linux'], undefined);
});

test('ours are no notes, and those of others still are', async (t) => {
  const { machine, declare, all, config, install } = aMachineWithCompanions(t);
  declare(...all);
  await install();
  machine.put('loader/credentials/other.cred', 'x');
  const { output } = await machine.run('verify', '--json', ...config);
  const notes: { path: string; note: string }[] = JSON.parse(output).esps[0].notes;
  assert.deepEqual(
    notes.filter(({ note }) => note.startsWith('not Espalier’s')).map(({ path }) => path),
    ['loader/credentials/other.cred'],
  );
  const plan = await machine.run('plan', ...config);
  assert.equal(plan.error, undefined);
});

test('plan and list tell what each entry gets: a bare kernel nothing, an image what its stub takes', async (t) => {
  const gets = { uki: ALL, shared: ALL, thin: [CREDENTIAL], type1: [] };
  for (const [format, files] of Object.entries(gets)) {
    const { machine, path, declare, all, config, install } = aMachineWithCompanions(t);
    declare(...all);
    const stub = format === 'thin' ? ['--stub', path('stub')] : [];
    const chosen = ['--format', format, ...stub];
    fs.writeFileSync(path('stub'), aPe({ sizeOfHeaders: 0x1000 }));
    const planned = await machine.runWith(
      {},
      ...['plan', '--json', ...machine.arguments(), ...KEYS, '--allow-insecure-key', '--quiet'],
      ...[...config, ...chosen],
    );
    const [{ plan }] = JSON.parse(planned.output).esps;
    const told = files.length === 0 ? undefined : [{ entry: plan.default, files }];
    assert.deepEqual(plan.companions, told, format);
    await install(...chosen);
    const long = await machine.run('list', '--long', ...config);
    const lines = long.output.split('\n').filter((line) => line.startsWith('1 gets '));
    assert.deepEqual(lines, files.length === 0 ? [] : [`1 gets ${files.join(', ')}`], format);
    const verbose = await machine.runWith({}, 'list', '-v', ...machine.arguments(), ...config);
    assert.equal(verbose.output, long.output);
  }
});

test('what lies beside one image is for the entries that boot it', async (t) => {
  for (const format of ['uki', 'shared']) {
    const machine = aMachine(t, { generations: [{}, { version: '6.13.1' }] });
    await machine.run('install', '--format', format);
    const [image = ''] = machine.paths(/(Linux\/nixos-generation-1|nixos\/uki-6\.12).*\.efi$/);
    machine.put(`${image}.extra.d/serial.addon.efi`, 'addon');
    const [{ entries }] = JSON.parse((await machine.run('list', '--json')).output).esps;
    const told = entries.map(({ generation, companions }: Told) => [generation, companions]);
    const expected = [
      [2, undefined],
      [1, [`${image}.extra.d/serial.addon.efi`]],
    ];
    assert.deepEqual(told, expected, format);
  }
});

interface Told {
  readonly generation: number;
  readonly companions?: readonly string[];
}

const REFUSED = [
  ['[credentials]\n"wifi" = "/x"', /credentials\.wifi.*ends in \.cred/],
  ['[credentials]\n"pcrlock.nixos.cred" = "/x"', /pcrlock/],
  ['[extensions]\n"tools.raw" = "/x"', /extensions\.tools\.raw.*\.sysext\.raw/],
  ['[addons]\n"a/b" = { cmdline = "x" }', /addons/],
  ['[addons]\nempty = {}', /expected cmdline, initrd, ucode or dtb/],
  ['[addons]\na = { linux = "/x" }', /addons/],
  ['[addons]\na = { cmdline = "a\\u0000b" }', /one line without control characters/],
] as const;

for (const [text, expected] of REFUSED) {
  test(`${text.replaceAll('\n', ' ')} is refused`, async (t) => {
    const { machine, declare, install } = aMachineWithCompanions(t);
    declare(text);
    const { error } = await install();
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.match(error.message, expected);
    assert.deepEqual(machine.tree(), {});
  });
}
