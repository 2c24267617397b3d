/** One generation that cannot be installed here: the others are, and everything says so. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { aMachine, type Machine } from './a-machine.ts';

const ARM = { system: 'aarch64-linux' };

/** A kernel and an initrd that no other generation has. */
const OWN_PARTS = { version: '6.13.1', initrd: 'an initrd of its own' };

/** Arguments that name the links of these generations, and no directory of profiles. */
function links(machine: Machine, ...numbers: readonly number[]): string[] {
  return numbers.flatMap((number) => ['--profiles', machine.link(number)]);
}

describe('generations of another system', () => {
  test('with --system they are left out and told, and the others are installed', async (t) => {
    const machine = aMachine(t, { generations: [ARM, { specialisations: { arm: ARM } }, {}] });
    const args = ['--system', 'x86_64-linux'];
    const { status, output } = await machine.run('install', '--json', ...args);
    assert.equal(status, 5);
    assert.match(output, /generation 1 is broken and left as it is: .*aarch64-linux/);
    assert.match(output, /generation 2 is broken and left as it is: .*specialisation .*arm/);
    assert.deepEqual([machine.installed(), machine.next()], [[3], 3]);
    assert.equal((await machine.run('gc', ...args)).status, 5);
  });

  test('one that is to boot next fails the run', async (t) => {
    const machine = aMachine(t, { generations: [{}, ARM] });
    const { status, error } = await machine.run('install', '--system', 'x86_64-linux');
    assert.equal(status, 1);
    assert.equal(error?.code, 'TARGET_BROKEN');
    assert.deepEqual(machine.paths(/./), []);
  });

  test('without --system the refusal names the option', async (t) => {
    const machine = aMachine(t, { generations: [ARM, {}] });
    const { status, error } = await machine.run('install');
    assert.equal(status, 3);
    assert.match(error?.hint ?? '', /--system/);
  });
});

describe('links of single generations', () => {
  for (const file of ['kernel', 'initrd', 'init']) {
    test(`the newest is what boots next: without its ${file} the run fails`, async (t) => {
      const machine = aMachine(t, { generations: [{}, OWN_PARTS] });
      const bootspec = JSON.parse(fs.readFileSync(`${machine.toplevel(2)}/boot.json`, 'utf8'))[
        'org.nixos.bootspec.v1'
      ];
      fs.rmSync(bootspec[file]);
      const args = ['--allow-unsigned', '--quiet', '--esp', machine.esp, '--allow-directory'];
      const places = ['--systemd', machine.systemd, '--booted', `${machine.root}/booted`];
      const run = () => machine.runWith({}, 'install', ...args, ...places, ...links(machine, 2, 1));
      const { status, error } = await run();
      assert.equal(status, 1);
      assert.equal(error?.code, 'TARGET_BROKEN');
      assert.deepEqual(machine.paths(/./), []);
    });
  }

  test('a pin does not become what boots next', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const pins = `${machine.root}/pins`;
    fs.mkdirSync(pins);
    fs.symlinkSync(machine.toplevel(2), `${pins}/system-2-link`);
    const args = ['--allow-unsigned', '--quiet', '--esp', machine.esp, '--allow-directory'];
    const places = ['--systemd', machine.systemd, '--booted', `${machine.root}/booted`];
    const { status } = await machine.runWith(
      {},
      'install',
      ...[...args, ...places, '--pins', pins, ...links(machine, 1)],
    );
    assert.equal(status, 0);
    assert.deepEqual([machine.installed(), machine.next()], [[1, 2], 1]);
  });
});

describe('a broken generation', () => {
  test('is told in status, list and metrics, with what to do about it', async (t) => {
    const machine = aMachine(t, { generations: [{ tag: 'a' }, { tag: 'b' }] });
    fs.rmSync(`${machine.toplevel(1)}/init`);
    assert.equal((await machine.run('install')).status, 5);
    const said = await machine.run('status');
    assert.equal(said.status, 5);
    assert.match(said.output, /- generation 1 is broken: init\s[^→]*\n +→ repair the store/);
    const { broken } = JSON.parse((await machine.run('status', '--json')).output);
    assert.deepEqual(
      [broken.length, broken[0].generation, broken[0].code],
      [1, '1', 'GENERATION_BROKEN'],
    );
    const listed = await machine.run('list');
    assert.match(
      listed.output,
      /^generation 1 is broken: init\s[^:]*:\s+expected .*\n {2}hint: repair the store/m,
    );
    assert.equal(
      JSON.parse((await machine.run('list', '--json')).output).broken[0].generation,
      '1',
    );
    const { output } = await machine.run('status', '--metrics');
    assert.match(output, /^espalier_generations_broken\{esp="[^"]+"\} 1$/m);
    assert.match(output, /^espalier_generation_broken\{generation="1",.*hint="repair .*"\} 1$/m);
  });

  for (const [what, shapes, broken] of [
    ['', [{ version: '1', kernel: 'no program' }, {}], '1'],
    [', where it is to boot next', [{}, { version: '1', kernel: 'no program' }], '2'],
  ] as const) {
    test(`that no firmware starts is told by list and metrics${what}`, async (t) => {
      const machine = aMachine(t, { generations: shapes });
      const said = new RegExp(`^generation ${broken} is broken:[^]*?\n {2}hint: rebuild that`, 'm');
      assert.match((await machine.run('list')).output, said);
      const { output } = await machine.run('status', '--metrics');
      assert.match(output, /^espalier_generations_broken\{esp="[^"]+"\} 1$/m);
      const { error } = await machine.run('install');
      assert.equal(error?.code, broken === '2' ? 'TARGET_BROKEN' : undefined);
      assert.match(error?.hint ?? 'rebuild it', /rebuild it/);
    });
  }

  test('that only a look into its kernel finds is told by status', async (t) => {
    const machine = aMachine(t, { generations: [{ version: '1', kernel: 'no program' }, {}] });
    const { status, output } = await machine.run('status');
    assert.equal(status, 5);
    assert.match(output, /- generation 1 is broken:/);
  });

  test('of another system is told where the system is named', async (t) => {
    const machine = aMachine(t, { generations: [ARM, {}] });
    const { output } = await machine.run('status', '--system', 'x86_64-linux', '--json');
    assert.equal(JSON.parse(output).broken[0].code, 'MIXED_ARCHITECTURES');
  });
});

describe('systems are compared by what boots', () => {
  /** Makes a generation's link lead to a wrapper around its system, as deploy-rs does. */
  function wrap(machine: Machine, number: number): void {
    const system = machine.toplevel(number);
    const wrapper = `${machine.root}/nix/store/wrapper-${number}`;
    fs.mkdirSync(wrapper);
    for (const name of fs.readdirSync(system))
      fs.symlinkSync(`${system}/${name}`, `${wrapper}/${name}`);
    fs.rmSync(machine.link(number));
    fs.symlinkSync(wrapper, machine.link(number));
  }

  test('a wrapper around the system that runs and boots next is no drift, and its pin shows', async (t) => {
    const machine = aMachine(t, { generations: [{ tag: 'a' }, { tag: 'b' }] });
    machine.boots(2);
    wrap(machine, 2);
    const pins = ['--pins', `${machine.root}/pins`];
    await machine.run('pin', '2', ...pins);
    assert.equal((await machine.run('install', ...pins)).status, 0);
    const { status, output } = await machine.run('status', ...pins);
    assert.equal(status, 0, output);
    assert.match(output, /\(as the profile says\)/);
    assert.doesNotMatch(output, /restart to run it/);
    assert.match((await machine.run('list', ...pins)).output, /^2 .* next, running, pinned$/m);
  });

  test('a specialisation of the current generation that was chosen is no drift', async (t) => {
    const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
    const gaming = fs.realpathSync(`${machine.toplevel(2)}/specialisation/gaming`);
    assert.equal((await machine.run('install', gaming)).status, 0);
    fs.symlinkSync(gaming, `${machine.root}/booted`);
    const { status, output } = await machine.run('status');
    assert.equal(status, 0, output);
    assert.match(output, /^Next: +generation .*gaming.*\s+\(as the profile says\)/m);
    assert.doesNotMatch(output, /restart to run it|differs/);
    const { output: metrics } = await machine.run('status', '--metrics');
    assert.doesNotMatch(metrics, /^espalier_drift.* 1$/m);
  });

  test('an older generation that was chosen is drift', async (t) => {
    const machine = aMachine(t, { generations: [{ tag: 'a' }, { tag: 'b' }] });
    await machine.run('install', machine.toplevel(1));
    const { status, output } = await machine.run('status');
    assert.equal(status, 5);
    assert.match(output, /NOT what the profile says/);
  });
});
