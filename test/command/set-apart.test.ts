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
