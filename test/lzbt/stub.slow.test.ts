/** Every thin image of ours is what the stub of lanzaboote needs, on stand-ins for stubs and on real ones. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { aKernel, aMachine, type Machine } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { findParts } from '../lab/parts.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { anLzbtMachine } from './a-lzbt.ts';
import { StubError, startThin } from './stub.ts';

const IMAGE = /^EFI\/Linux\/nixos-generation-/;
const SIGNED = ['--allow-insecure-key', '--certificate', certificatePath];

/** A machine with thin images on a stub, which is a stand-in unless told. */
async function aThinMachine(
  t: TestContext,
  generations: readonly GenerationShape[],
  stub?: string,
): Promise<Machine> {
  const machine = aMachine(t, { generations });
  const path = join(machine.root, 'stub.efi');
  if (stub) fs.copyFileSync(stub, path);
  else fs.writeFileSync(path, aPe({ sections: [{ name: '.text', bytes: countingBytes(800) }] }));
  const args = ['--format', 'thin', '--stub', path, ...SIGNED, '--private-key', privateKeyPath];
  const { status, error } = await machine.run('install', ...args);
  assert.ok(status === 0 || status === 5, error?.message);
  return machine;
}

/** What a generation's own files say that must start. */
function wanted(machine: Machine, number: number): { kernel: Buffer; initrd: Buffer } {
  const read = (name: string) => fs.readFileSync(join(machine.toplevel(number), name));
  return { kernel: read('kernel'), initrd: read('initrd') };
}

function imageOf(machine: Machine, name: string): string {
  const image = machine.paths(IMAGE).find((path) => path.includes(`-generation-${name}-`));
  assert.ok(image, `there is no image of ${name}`);
  return image;
}

const parts = findParts();
const STUBS: Readonly<Record<string, string | undefined>> = {
  'a stand-in': undefined,
  ...Object.fromEntries(
    Object.entries(parts?.stub ?? {}).map(([version, path]) => [`the stub ${version}`, path]),
  ),
};

for (const [name, stub] of Object.entries(STUBS)) {
  test(`on ${name}, kernel, initrd and command line are the generation’s own`, async (t) => {
    const machine = await aThinMachine(
      t,
      [
        { kernel: aKernel('one'), initrd: 'one' },
        { kernel: aKernel('two'), initrd: 'two', kernelParams: ['quiet', 'greeting=grüß·日本'] },
      ],
      stub,
    );
    for (const number of [1, 2]) {
      const { kernel, initrd, cmdline } = startThin(machine.esp, imageOf(machine, `${number}`));
      assert.deepEqual({ kernel, initrd }, wanted(machine, number));
      assert.match(cmdline, new RegExp(`^init=${machine.toplevel(number)}/init `));
    }
    const { cmdline } = startThin(machine.esp, imageOf(machine, '2'));
    assert.match(cmdline, / quiet greeting=grüß·日本$/);
  });
}

test('what lzbt-systemd installs starts, specialisations too', async (t) => {
  const { machine, install } = anLzbtMachine(t, [
    { specialisations: { gaming: { initrd: 'for games' } } },
  ]);
  assert.equal((await install()).status, 0);
  const { initrd } = startThin(machine.esp, imageOf(machine, '1-specialisation-gaming'));
  assert.equal(initrd.toString(), 'for games');
});

test('a system without an initrd starts with an empty archive', async (t) => {
  const machine = await aThinMachine(t, [{ initrd: null }]);
  const { initrd } = startThin(machine.esp, imageOf(machine, '1'));
  assert.match(initrd.toString('latin1'), /^0707010{32}.*TRAILER!!!\0+$/);
  assert.equal(initrd.length % 4, 0);
});

test('an initrd with secrets is the one that starts', async (t) => {
  const machine = await aThinMachine(t, [{ secrets: 'printf SECRET >> "$1"' }]);
  const { initrd } = startThin(machine.esp, imageOf(machine, '1'));
  assert.match(initrd.toString(), /SECRET$/);
});

test('a counted image starts under each of its names', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  await install(0, '--bootcounting-initial-tries', '3');
  const image = imageOf(machine, '1');
  for (const counter of ['+2-1', '+0-3', '']) {
    const name = image.replace('+3', counter);
    fs.copyFileSync(join(machine.esp, image), join(machine.esp, name));
    assert.deepEqual(startThin(machine.esp, name).kernel, wanted(machine, 1).kernel);
  }
});

describe('the stub starts nothing', () => {
  const started = (machine: Machine) => startThin(machine.esp, imageOf(machine, '1'));

  test('when kernel or initrd are not those that were installed', async (t) => {
    for (const kind of ['kernel', 'initrd']) {
      const machine = await aThinMachine(t, [{}]);
      const [path = ''] = machine.paths(new RegExp(`nixos/${kind}-`));
      fs.appendFileSync(join(machine.esp, path), '!');
      assert.throws(() => started(machine), { message: /hash does not match/ });
      fs.rmSync(join(machine.esp, path));
      assert.throws(() => started(machine), StubError);
    }
  });

  test('from a command line that firmware has no text for: such a generation is broken', async (t) => {
    const machine = await aThinMachine(t, [{ kernelParams: ['mood=🙂'] }, {}]);
    assert.deepEqual(machine.installed(), [2]);
    const alone = aMachine(t, { generations: [{ kernelParams: ['mood=🙂'] }] });
    const stub = join(machine.root, 'stub.efi');
    const { status, error } = await alone.run('install', '--format', 'thin', '--stub', stub);
    assert.deepEqual([status, error?.code], [1, 'TARGET_BROKEN']);
    assert.equal((await alone.run('install')).status, 0, 'a UKI may have it');
  });
});
