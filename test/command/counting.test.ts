/** Entries that are counted: they get their tries once, and keep whatever became of them since. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { matchesPattern } from '../../src/loader/pattern.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { aMachine, aStub, type Machine } from './a-machine.ts';

const ENTRY = /nixos-generation-\d+.*\.(efi|conf)$/;
const names = (machine: Machine) =>
  machine
    .paths(ENTRY)
    .map((path) => path.replace(/.*generation-/, '').replace(/-[a-z2-7]{52}/, ''))
    .sort();

/** Renames the entry of a generation as systemd-boot and systemd-bless-boot do. */
function recount(machine: Machine, generation: number, counter: string): string {
  const [path = ''] = machine.paths(new RegExp(`nixos-generation-${generation}-`));
  const renamed = path.replace(/(\+\d+(-\d+)?)?\.(efi|conf)$/, `${counter}.$3`);
  fs.renameSync(`${machine.esp}/${path}`, `${machine.esp}/${renamed}`);
  return renamed;
}

function counted(machine: Machine, ...args: readonly string[]) {
  return machine.run('install', '--boot-counting', '3', ...args);
}

const FORMATS = ['uki', 'shared', 'type1', 'thin'] as const;

function formatArguments(machine: Machine, format: string): string[] {
  const stub = `${machine.root}/stub.efi`;
  const plain = aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] });
  fs.writeFileSync(stub, format === 'thin' ? plain : aStub('257'));
  return ['--format', format, '--stub', stub];
}

function machineWith(t: TestContext, count: number): Machine {
  return aMachine(t, { generations: Array.from({ length: count }, () => ({})) });
}

for (const format of FORMATS) {
  describe(`counted entries of format ${format}`, () => {
    const suffix = ['type1', 'shared'].includes(format) ? 'conf' : 'efi';

    test('a new one gets its tries, and specialisations theirs', async (t) => {
      const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
      await counted(machine, ...formatArguments(machine, format));
      assert.deepEqual(names(machine), [
        `1+3.${suffix}`,
        `2+3.${suffix}`,
        `2-specialisation-gaming+3.${suffix}`,
      ]);
    });

    test('what was tried, blessed or found bad stays so', async (t) => {
      const machine = machineWith(t, 4);
      const args = formatArguments(machine, format);
      await counted(machine, ...args);
      recount(machine, 1, '');
      recount(machine, 2, '+0-3');
      recount(machine, 3, '+2-1');
      const before = machine.tree();
      const again = await counted(machine, ...args);
      assert.equal(again.status, 0, again.output);
      assert.match(again.output, /nothing to do/);
      assert.deepEqual(machine.tree(), before);
    });

    test('a damaged one is mended under its counter', async (t) => {
      const machine = machineWith(t, 2);
      const args = formatArguments(machine, format);
      await counted(machine, ...args);
      const path = recount(machine, 1, '+1-2');
      const before = machine.tree();
      fs.truncateSync(`${machine.esp}/${path}`, 90);
      assert.notEqual((await machine.run('verify')).status, 0);
      assert.equal((await machine.run('repair', ...args)).status, 0);
      assert.deepEqual(machine.tree(), before);
      assert.equal((await machine.run('verify', '--deep')).status, 0);
    });

    test('one that nothing wants goes, whatever its counter says', async (t) => {
      for (const counter of ['', '+2-1', '+0-3']) {
        const machine = machineWith(t, 3);
        const args = formatArguments(machine, format);
        await counted(machine, ...args);
        recount(machine, 1, counter);
        fs.rmSync(machine.link(1));
        await counted(machine, ...args);
        assert.deepEqual(names(machine), [`2+3.${suffix}`, `3+3.${suffix}`]);
      }
    });

    test('the one that is on trial stays, until it is blessed and after', async (t) => {
      const machine = machineWith(t, 3);
      const args = formatArguments(machine, format);
      await counted(machine, ...args);
      const trial = recount(machine, 1, '+2-1');
      machine.loaderVariable('LoaderBootCountPath', `\\${trial.replaceAll('/', '\\')}`);
      fs.rmSync(machine.link(1));
      const environment = { ESPALIER_EFIVARS: machine.efivars };
      const all = ['install', ...machine.arguments(), '--allow-unsigned', '-q', ...args];
      for (const counter of ['+2-1', '', '+0-1']) {
        recount(machine, 1, counter);
        assert.equal((await machine.runWith({ environment }, ...all)).status, 0);
        assert.equal(names(machine)[0], `1${counter}.${suffix}`);
      }
    });
  });
}

describe('what boots next', () => {
  const conf = (machine: Machine) => machine.read('loader/loader.conf').split('\n');
  const next = async (machine: Machine) => {
    const { output } = await machine.runWith({}, 'list', ...machine.arguments(), '--json');
    const [{ entries }] = JSON.parse(output).esps;
    return entries.find((entry: { default: boolean }) => entry.default).generation;
  };

  test('a counted entry is preferred, and any other of ours boots when it is bad', async (t) => {
    for (const loader of ['257.9-1', '260']) {
      const machine = aMachine(t, { generations: [{}, {}, {}], loader });
      assert.equal((await counted(machine)).status, 0);
      assert.match(conf(machine)[1] ?? '', /^preferred nixos-generation-3-[a-z2-7]{52}\*\.efi$/);
      assert.equal(conf(machine)[2], 'default nixos-generation-*');
      assert.equal(await next(machine), 3);
      recount(machine, 3, '+0-3');
      assert.equal(await next(machine), 2);
      recount(machine, 3, '');
      await counted(machine);
      assert.equal(machine.next(), 3);
      assert.equal(await next(machine), 3);
    }
  });

  test('a loader that knows no preferred entry boots the right one nevertheless', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}], loader: '257' });
    const { status, output } = await counted(machine, machine.toplevel(1));
    assert.equal(status, 5, output);
    assert.equal(machine.next(), 1);
    assert.doesNotMatch(conf(machine).join('\n'), /preferred/);
  });

  test('one that knows it boots the one preferred, wherever it is in the menu', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}], loader: '260' });
    assert.equal((await counted(machine, machine.toplevel(1))).status, 0);
    assert.equal(await next(machine), 1);
    recount(machine, 1, '+0-3');
    assert.equal(await next(machine), 2);
  });

  test('a target that went bad gives way to the running system, else to the newest', async (t) => {
    for (const booted of [undefined, 1]) {
      const machine = machineWith(t, 4);
      await counted(machine);
      recount(machine, 4, '+0-3');
      recount(machine, 3, '+0-3');
      if (booted !== undefined) machine.boots(booted);
      const { status } = await counted(machine);
      assert.equal(status, 5);
      assert.equal(await next(machine), booted ?? 2);
      assert.ok(names(machine).includes('4+0-3.efi'));
      assert.equal((await counted(machine)).status, 5);
    }
  });

  test('when all are bad, the target stays what boots next', async (t) => {
    const machine = machineWith(t, 2);
    await counted(machine);
    for (const generation of [1, 2]) recount(machine, generation, '+0-3');
    assert.equal((await counted(machine)).status, 5);
    assert.equal(await next(machine), 2);
  });

  test('a collection keeps what is preferred', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}, {}], loader: '260' });
    await counted(machine, machine.toplevel(1));
    fs.rmSync(machine.link(1));
    assert.equal((await machine.run('gc')).status, 0);
    assert.deepEqual(names(machine), ['1+3.efi', '2+3.efi', '3+3.efi']);
  });
});

describe('a loader that keeps the counter in the ID, as systemd-boot 254 does', () => {
  /** What such a loader boots: the first entry whose file name matches what loader.conf names. */
  const bootedBy254 = (machine: Machine) => {
    const pattern = /^default (.*)$/m.exec(machine.read('loader/loader.conf'))?.[1] ?? '';
    const menu = machine.paths(/nixos-generation-/).map((path) => basename(path));
    return menu.toReversed().find((name) => matchesPattern(pattern, name));
  };

  for (const format of ['uki', 'type1']) {
    test(`boots the generation that was rolled back to: ${format}`, async (t) => {
      const machine = aMachine(t, { generations: [{}, {}, {}], loader: '254' });
      await counted(machine, '--format', format, machine.toplevel(2));
      assert.match(bootedBy254(machine) ?? '', /^nixos-generation-2-[a-z2-7]{52}\+3\./);
      recount(machine, 2, '+2-1');
      assert.match(bootedBy254(machine) ?? '', /^nixos-generation-2-/);
      recount(machine, 2, '');
      assert.match(bootedBy254(machine) ?? '', /^nixos-generation-2-/);
    });
  }

  test('names the selected entry with its counter, and it is kept all the same', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}, {}], loader: '254' });
    await counted(machine);
    const [selected = ''] = machine.paths(/nixos-generation-1-/);
    machine.loaderVariable('LoaderEntrySelected', basename(selected));
    recount(machine, 1, '+2-1');
    fs.rmSync(machine.link(1));
    const environment = { ESPALIER_EFIVARS: machine.efivars };
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet', '--boot-counting', '3'];
    assert.equal((await machine.runWith({ environment }, 'install', ...args)).status, 0);
    assert.deepEqual(names(machine), ['1+2-1.efi', '2+3.efi', '3+3.efi']);
  });

  for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot']) {
    test(`${name} with a counter in it is no other entry`, async (t) => {
      const machine = aMachine(t, { generations: [{}, {}], loader: '254' });
      await counted(machine);
      const [entry = ''] = machine.paths(/nixos-generation-2-/);
      machine.loaderVariable(name, basename(entry));
      recount(machine, 2, '+2-1');
      assert.equal((await counted(machine)).status, 0);
      const [other = ''] = machine.paths(/nixos-generation-1-/);
      machine.loaderVariable(name, basename(other));
      assert.equal((await counted(machine)).status, 5);
    });
  }
});

test('an entry that is there under two counters is left alone in both, and told', async (t) => {
  for (const format of ['uki', 'type1']) {
    const machine = machineWith(t, 2);
    await counted(machine, '--format', format);
    const [path = ''] = machine.paths(/nixos-generation-1-/);
    fs.copyFileSync(`${machine.esp}/${path}`, `${machine.esp}/${path.replace('+3', '')}`);
    fs.rmSync(machine.link(1));
    const before = machine.tree();
    const { status } = await counted(machine, '--format', format);
    assert.equal(status, 5);
    assert.deepEqual(machine.tree(), before);
    fs.rmSync(`${machine.esp}/${path}`);
    assert.equal((await counted(machine, '--format', format)).status, 0);
    assert.equal(names(machine).length, 1);
  }
});

test('what a counter says is listed, and counted in the status', async (t) => {
  const machine = machineWith(t, 3);
  await counted(machine);
  recount(machine, 1, '');
  recount(machine, 2, '+0-3');
  recount(machine, 3, '+2-1');
  const show = (verb: string, ...args: readonly string[]) =>
    machine.runWith({}, verb, ...machine.arguments(), ...args);
  const [, ...rows] = (await show('list')).output.split('\n');
  const notes = rows.map((row) => /^(\d) .* [KM]iB(.*)$/.exec(row)?.slice(1).join(''));
  assert.deepEqual(notes, ['3  next, tries left: 2', '1', '2  bad: no tries left']);
  const status = await show('status');
  assert.equal(status.status, 0);
  assert.match(status.output, /3 entries, 1 on trial, 1 bad/);
  const metrics = (await show('status', '--metrics')).output;
  assert.match(metrics, /^espalier_entries_bad\{.* 1$/m);
  assert.match(metrics, /^espalier_entries_on_trial\{.* 1$/m);
  assert.match(metrics, /^espalier_next_boot_tries_left\{.* 2$/m);
  const [{ entries }] = JSON.parse((await show('list', '--json')).output).esps;
  assert.deepEqual(entries[0].counter, { triesLeft: 2, triesDone: 1 });
});

test('every ESP counts for itself, and has a default of its own', async (t) => {
  const machine = machineWith(t, 2);
  const other = `${machine.root}/other`;
  fs.mkdirSync(other);
  const both = () => counted(machine, '--esp', other);
  await both();
  recount(machine, 2, '+0-3');
  const before = machine.tree(other);
  assert.equal((await both()).status, 5);
  assert.deepEqual(machine.tree(other), before);
  assert.match(machine.read('loader/loader.conf'), /^(preferred|default) nixos-generation-1-/m);
  assert.match(fs.readFileSync(`${other}/loader/loader.conf`, 'utf8'), /^preferred \S*-2-/m);
});

test('counting starts with what is new, and ends with it', async (t) => {
  const machine = machineWith(t, 1);
  await machine.run('install');
  machine.generations([{ number: 2 }]);
  await counted(machine);
  machine.generations([{ number: 3 }]);
  await machine.run('install');
  assert.deepEqual(names(machine), ['1.efi', '2+3.efi', '3.efi']);
});

test('the number of tries is checked', async (t) => {
  const { error } = await machineWith(t, 1).run('install', '--boot-counting', 'often');
  assert.equal(error?.code, 'CONFIG_INVALID');
  assert.match(error.message, /--boot-counting/);
});
