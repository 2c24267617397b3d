/** What `list` and `status` say about an ESP, and that nothing on it can make them say more. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import stringWidth from 'string-width';
import { aPe } from '../pe/a-pe.ts';
import { aMachine, type Machine } from './a-machine.ts';

const text = (value: string) => new TextEncoder().encode(value);

async function machineWith(t: Parameters<typeof aMachine>[0], format = 'uki'): Promise<Machine> {
  const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }, {}] });
  await machine.run('install', '--format', format);
  return machine;
}

const view = (machine: Machine, verb: 'list' | 'status', ...args: readonly string[]) =>
  machine.runWith({}, verb, ...machine.arguments(), ...args);

const SAMPLE =
  /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*\})? (-?\d+(?:\.\d+)?)$/;

/**
 * What a reader of Prometheus' text format would refuse (exposition_formats.md §Text-based format): each
 * metric has one group, with its HELP and TYPE first, no series comes twice, and the last line ends.
 */
function complaintsOfExposition(exposition: string): string[] {
  const lines = exposition.split('\n');
  const last = lines.pop();
  const rows = lines.map((line) => {
    const [, kind = 'SAMPLE', of, value] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    return { line, kind, name: of ?? SAMPLE.exec(line)?.[1], value };
  });
  const groups = rows.filter(({ name }, index) => name !== rows[index - 1]?.name);
  const twice = (all: readonly (string | undefined)[]) =>
    all.filter((each, index) => all.indexOf(each) !== index).map((each) => `twice: ${each}`);
  const samples = rows.filter(({ kind }) => kind === 'SAMPLE');
  return [
    ...(last === '' ? [] : [`a line without an end: ${last}`]),
    ...rows.filter(({ name }) => name === undefined).map(({ line }) => `no such line: ${line}`),
    ...twice(groups.map(({ name }) => name)),
    ...twice(samples.map(({ line }) => line.replace(/ \S+$/, ''))),
    ...groups.filter(({ kind }) => kind !== 'HELP').map(({ line }) => `no HELP above: ${line}`),
    ...samples
      .filter(({ name }) => !rows.some((row) => row.name === name && row.value === 'gauge'))
      .map(({ line }) => `no gauge: ${line}`),
  ];
}

describe('list', () => {
  test('entries come as in the menu, with marks for what boots next and what runs', async (t) => {
    for (const format of ['uki', 'type1']) {
      const machine = await machineWith(t, format);
      machine.boots(1);
      const { status, output } = await view(machine, 'list');
      assert.equal(status, 0);
      const [head = '', ...rows] = output.split('\n');
      assert.match(head, /^GENERATION +BUILT +KERNEL +SIZE +STATE$/);
      const names = rows.map((row) => row.split(' ')[0]);
      assert.deepEqual(names, ['3', '2', '2-gaming', '1']);
      assert.match(rows[0] ?? '', /^3 +2026-11-22 +[\d.]+\S* +[\d.]+ \S*B( \+[\d.]+ KiB)? +next$/);
      assert.match(rows[3] ?? '', /running$/);
      const long = await view(machine, 'list', '--long');
      assert.match(long.output.split('\n')[1] ?? '', /^3 .* next +\S+\/nixos-generation-3-\S+$/);
    }
  });

  test('an empty ESP has no entries', async (t) => {
    assert.equal((await view(aMachine(t), 'list')).output, 'no boot entries');
  });

  test('entries of others are listed too', async (t) => {
    const machine = await machineWith(t);
    machine.put('loader/entries/windows.conf', 'title Windows\nefi /EFI/Microsoft/x.efi\n');
    const { output } = await view(machine, 'list', '--json');
    const [{ entries }] = JSON.parse(output).esps;
    const windows = entries.find(({ id }: { id: string }) => id === 'windows.conf');
    assert.equal(windows.title, 'Windows');
    assert.equal(windows.damage, 'EFI/Microsoft/x.efi is not there');
    assert.deepEqual(Object.keys(JSON.parse(output)), ['version', 'verb', 'esps']);
  });

  test('damage is told beside the entry', async (t) => {
    const machine = await machineWith(t, 'type1');
    fs.rmSync(`${machine.esp}/${machine.paths(/nixos\/initrd-/)[0]}`);
    assert.match(
      (await view(machine, 'list')).output,
      /^\d(-gaming)?: damaged: EFI\/nixos\/initrd-.* is not there$/m,
    );
  });

  test('fits 80 columns, whatever names and versions are, and holds no digest', async (t) => {
    const version = '6.12.9-a-very-long-version-of-somebody-who-builds-kernels';
    const specialisations = { ['a specialisation with a long name'.repeat(2)]: {} };
    const machine = aMachine(t, { generations: [{ version, specialisations }, {}] });
    await machine.run('install', '--boot-counting', '3');
    machine.put('loader/entries/x.conf', `title ${'各種各様'.repeat(20)}\nlinux /x\n`);
    const { output } = await view(machine, 'list');
    const table = output.split('\n').filter((line) => !line.includes('damaged:'));
    for (const line of table) assert.ok(stringWidth(line) <= 80, line);
    assert.doesNotMatch(table.join('\n'), /[a-z2-7]{40}/);
  });

  test('a broken generation is a row of its own', async (t) => {
    const machine = aMachine(t, { generations: [{ tag: 'a' }, { tag: 'b' }] });
    fs.rmSync(`${machine.toplevel(1)}/init`);
    await machine.run('install');
    assert.match((await view(machine, 'list')).output, /^1 +broken$/m);
  });

  test('what lies on the ESP cannot steer the terminal', async (t) => {
    const machine = await machineWith(t);
    const evil = '\u001b[2J\u009b31m\u202e';
    machine.put('loader/entries/a.conf', `title ${evil}\nversion ${evil}\nlinux /${evil}\n`);
    machine.put(`loader/entries/b${evil}.conf`, 'linux /x\n');
    machine.put(
      'EFI/Linux/c.efi',
      aPe({ sections: [{ name: '\u001b[2J', bytes: text('x') }] }).subarray(0, 600),
    );
    const { output } = await view(machine, 'list');
    assert.doesNotMatch(output, /[^\P{C}\n]/u);
    const planned = await machine.run('plan');
    assert.doesNotMatch(planned.output, /[^\P{C}\n]/u);
  });
});

test('an EFI variable that has another entry boot is in the status', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await machine.run('install');
  assert.equal((await machine.run('status')).status, 0);
  machine.loaderVariable('LoaderEntryDefault', machine.paths(/generation-1-/)[0]?.slice(10) ?? '');
  const { status, output } = await machine.run('status', '--json');
  assert.equal(status, 5);
  assert.match(output, /the EFI variable LoaderEntryDefault is .*generation-1-/);
});

describe('status', () => {
  test('it says what boots next, that this is current, the loaders and the space', async (t) => {
    const machine = await machineWith(t);
    machine.boots(3);
    const { status, output } = await view(machine, 'status');
    assert.equal(status, 0);
    assert.match(output, /^Starts: +yes/m);
    assert.match(output, /^Next: +generation 3, .*\(as the profile says\)\n +nixos-generation-3-/m);
    assert.match(output, /^Running: +generation 3\n +\/\S+-system-3-/m);
    assert.match(output, /^To do: +nothing$/m);
    assert.match(output, /EFI\/systemd\/systemd-bootx64\.efi {2}systemd-boot 257\.9/);
    assert.match(output, /EFI\/BOOT\/BOOTX64\.EFI {2}systemd-boot 257\.9/);
    assert.match(output, /^Menu: +4 entries$/m);
    assert.match(output, /^ +█.*\n +█ ours .* {2}░ free /m);
  });

  test('drift and damage are told, and by the exit status', async (t) => {
    const machine = await machineWith(t);
    machine.generations([{}, { specialisations: { gaming: {} } }, {}, {}]);
    const drifted = await view(machine, 'status');
    assert.equal(drifted.status, 5);
    assert.match(drifted.output, /NOT what the profile says/);
    await machine.run('install');
    fs.truncateSync(`${machine.esp}/${machine.paths(/generation-1-/)[0]}`, 700);
    const damaged = await view(machine, 'status');
    assert.equal(damaged.status, 5);
    assert.match(damaged.output, /5 entries, 1 damaged/);
    assert.match(
      damaged.output,
      /- generation 1: no whole EFI program: .*\n[\s\S]*→ espalier repair/,
    );
  });

  test('its document is as stable as that of plan', async (t) => {
    const machine = await machineWith(t);
    const document = JSON.parse((await view(machine, 'status', '--json')).output);
    assert.deepEqual(Object.keys(document), ['version', 'verb', 'current', 'esps']);
    const [esp] = document.esps;
    assert.deepEqual(
      [document.version, document.current, esp.nextIsCurrent, esp.entries, esp.damaged],
      [1, machine.toplevel(3), true, 4, 0],
    );
    assert.ok(esp.space.ours > 0);
  });

  test('compares in the format that was asked for; metrics have an option of their own', async (t) => {
    const machine = aMachine(t);
    const type1 = ['--allow-unsigned', '--format', 'type1'];
    await machine.run('install', '--format', 'type1');
    assert.equal((await view(machine, 'status', ...type1)).status, 0);
    assert.match((await view(machine, 'status', ...type1, '--metrics')).output, /^espalier_/m);
    const { status, error } = await view(machine, 'status', '--format=prometheus');
    assert.equal(status, 2);
    assert.equal(error?.hint, 'for the metrics use --metrics');
  });

  test('its metrics tell space, damage and drift, one value on a line', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    await machine.run('install');
    machine.boots(1);
    const args = machine.arguments();
    const { output, status } = await machine.runWith({}, 'status', ...args, '--metrics');
    assert.equal(status, 0);
    const values = output.split('\n').filter((line) => !line.startsWith('#'));
    for (const line of values)
      assert.match(line, /^espalier_[a-z_]+\{esp="[^"]+"(,\w+="[^"]+")?\} \d+$/);
    assert.ok(values.some((line) => /drift\{.*"profile and next boot"\} 0$/.test(line)));
    assert.ok(values.some((line) => /drift\{.*"running and profile"\} 1$/.test(line)));
  });

  test('its metrics are what the text collector of node_exporter takes', async (t) => {
    const machine = aMachine(t, {
      generations: [{ specialisations: { 'a"b\\\\c': {} } }, { tag: 'x' }],
    });
    await machine.run('install');
    fs.rmSync(`${machine.toplevel(2)}/init`);
    const mirror = `${machine.root}/a "mirror"`;
    fs.mkdirSync(mirror);
    const file = `${machine.root}/espalier.prom`;
    fs.writeFileSync(file, 'old\n');
    const old = fs.statSync(file).ino;
    const args = ['--esp', mirror, '--metrics'];
    const told = await machine.run('status', ...args);
    const { output, status } = await machine.run('status', ...args, '--output', file);
    assert.deepEqual([output, status], ['', 5]);
    const written = fs.readFileSync(file, 'utf8');
    // Another program may change how much is free meanwhile.
    const names = (exposition: string) => exposition.replace(/ \d+$/gm, '');
    assert.equal(names(written), names(`${told.output}\n`));
    assert.notEqual(fs.statSync(file).ino, old, 'it is another file under the old name');
    assert.equal(fs.statSync(file).mode & 0o777, 0o644);
    assert.deepEqual(complaintsOfExposition(written), []);
    const wrong = complaintsOfExposition('a 1\na 1\nb{c="\\x"} y\nend').join();
    for (const what of [/without an end/, /no such line/, /twice/, /no HELP/, /no gauge/])
      assert.match(wrong, what);
    const alone = await view(machine, 'status', '--output', file);
    assert.deepEqual([alone.status, fs.readFileSync(file, 'utf8')], [2, written]);
  });

  test('to look runs no program that adds secrets; what differs is then not told', async (t) => {
    const secrets = 'echo ran >>"$(dirname "$0")/../ran"; echo secret >>"$1"';
    const machine = aMachine(t, { generations: [{}, { secrets }] });
    const ran = () => fs.globSync(`${machine.root}/**/ran`).length;
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(ran(), 1);
    for (const mark of fs.globSync(`${machine.root}/**/ran`)) fs.rmSync(mark);
    const { status, output } = await machine.run('status', '--json');
    assert.equal(ran(), 0);
    assert.equal(status, 0, output);
    const [esp] = JSON.parse(output).esps;
    assert.equal(esp.nextIsCurrent, true);
    assert.equal('fromProfiles' in esp, false);
    assert.equal('problem' in esp, false);
  });

  test('without profiles, as on a rescue system, it tells what it can', async (t) => {
    const machine = await machineWith(t);
    const { status, output } = await view(machine, 'status', '--profiles', '/none');
    assert.equal(status, 0);
    assert.match(output, /^Profile: +none$/m);
    assert.match(output, /^Next: +generation 3, [^()]*\n +nixos-generation-3-\S+$/m);
  });
});

test('list fits 80 columns below its table too, and --long breaks nothing', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await machine.run('install');
  const [image = ''] = machine.paths(/generation-1-/);
  fs.truncateSync(join(machine.esp, image), 700);
  fs.rmSync(`${machine.toplevel(2)}/init`);
  const { output } = await machine.run('list');
  const isWide = (line: string) => stringWidth(line) > 80 && line.trim().includes(' ');
  assert.deepEqual(output.split('\n').filter(isWide), []);
  const { output: long } = await machine.run('list', '--long');
  assert.match(long, /^1: damaged: .*, got 700 before the file ends$/m);
});
