/** Entries that are counted: they get their tries once, and keep whatever became of them since. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { aMachine, type Machine } from './a-machine.ts';

const ENTRY = /nixos-generation-\d+.*\.(efi|conf)$/;
const names = (machine: Machine) =>
  machine
    .paths(ENTRY)
    .map((path) => path.replace(/.*generation-/, '').replace(/-[a-z2-7]{52}/, ''));

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

const FORMATS = ['uki', 'type1', 'thin'] as const;

function formatArguments(machine: Machine, format: string): string[] {
  if (format !== 'thin') return ['--format', format];
  const stub = `${machine.root}/stub.efi`;
  fs.writeFileSync(stub, aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] }));
  return ['--format', format, '--stub', stub];
}

function machineWith(t: TestContext, count: number): Machine {
  return aMachine(t, { generations: Array.from({ length: count }, () => ({})) });
}

for (const format of FORMATS) {
  describe(`counted entries of format ${format}`, () => {
    const suffix = format === 'type1' ? 'conf' : 'efi';

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
      fs.truncateSync(`${machine.esp}/${path}`, 100);
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
