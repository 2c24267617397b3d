/** Moving from lanzaboote, and back to it: nothing large is written, and what boots stays until it is replaced. */
import assert from 'node:assert/strict';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { aKernel, type Machine } from '../command/a-machine.ts';
import { lanzabooteFiles, lanzabooteInstalls } from './a-lanzaboote.ts';
import { age, anLzbtMachine } from './a-lzbt.ts';

const GENERATIONS = [{ kernel: aKernel('old') }, {}, {}];

function isOld(machine: Machine, path: string): boolean {
  return statSync(join(machine.esp, path)).mtimeMs < 2000;
}

describe('from lanzaboote', () => {
  test('images are replaced, kernels and initrds are not written again', async (t) => {
    const { machine, install } = anLzbtMachine(t, GENERATIONS);
    const theirs = [1, 2, 3].map((number) => lanzabooteInstalls(machine, number));
    age(machine);
    assert.equal((await install()).status, 0);
    const files = machine.paths(/^EFI\/nixos\//);
    assert.deepEqual(files, [...new Set(theirs.flatMap((one) => [one.initrd, one.kernel]))].sort());
    for (const path of files) assert.ok(isOld(machine, path), path);
    assert.deepEqual(machine.installed(), [1, 2, 3]);
    for (const { image } of theirs) assert.ok(!machine.paths(/Linux/).includes(image), image);
  });

  test('what is beyond the limit goes, with the kernel that nothing else names', async (t) => {
    const { machine, install } = anLzbtMachine(t, GENERATIONS);
    const [first] = [1, 2, 3].map((number) => lanzabooteInstalls(machine, number));
    assert.equal((await install(2)).status, 0);
    assert.deepEqual(machine.installed(), [2, 3]);
    assert.ok(first && !machine.paths(/kernel-/).includes(first.kernel));
  });

  test('an image of a specialisation with any name is taken over', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    const { image } = lanzabooteInstalls(machine, 1);
    const special = image.replace('generation-1-', 'generation-1-specialisation-Spaß mit Müll-');
    writeFileSync(join(machine.esp, special), 'not even whole');
    assert.equal((await install()).status, 0);
    assert.equal(machine.paths(/^EFI\/Linux\//).length, 1);
  });

  test('an image that was selected at the last boot stays', async (t) => {
    const { machine, install } = anLzbtMachine(t);
    const { image } = lanzabooteInstalls(machine, 1);
    machine.loaderVariable('LoaderEntrySelected', image.replace('EFI/Linux/', ''));
    assert.equal((await install()).status, 0);
    assert.ok(machine.paths(/^EFI\/Linux\//).includes(image));
  });

  test('a generation that cannot be read keeps the image that it has', async (t) => {
    const { machine, install } = anLzbtMachine(t, [{}, {}]);
    const { image, kernel } = lanzabooteInstalls(machine, 1);
    writeFileSync(join(machine.toplevel(1), 'boot.json'), '{');
    assert.equal((await install()).status, 0);
    assert.deepEqual(machine.installed(), [1, 2]);
    for (const path of [image, kernel]) assert.equal(machine.paths(/./).includes(path), true, path);
  });

  test('nothing of it is touched by who was not asked to', async (t) => {
    const { machine } = anLzbtMachine(t, [{}, {}]);
    const theirs = Object.values(lanzabooteInstalls(machine, 1));
    machine.put('EFI/nixos/kernel-garbage.efi', 'garbage');
    for (const verb of ['install', 'gc', 'repair']) {
      assert.equal((await machine.run(verb, '--limit', '1')).status, 0, verb);
    }
    const left = machine.paths(/./);
    for (const path of [...theirs, 'EFI/nixos/kernel-garbage.efi']) {
      assert.ok(left.includes(path), path);
    }
  });

  test('a plan shows it before it is done', async (t) => {
    const { machine } = anLzbtMachine(t);
    const { image } = lanzabooteInstalls(machine, 1);
    const before = machine.tree();
    const { status, output } = await machine.run('plan', '--adopt');
    assert.equal(status, 0);
    assert.match(output, new RegExp(`^ +- ${image.replaceAll('.', '\\.')} `, 'm'));
    assert.deepEqual(machine.tree(), before);
  });
});

describe('to lanzaboote', () => {
  test('it finds its kernels and initrds in place, and all else is its to remove', async (t) => {
    const { machine, install } = anLzbtMachine(t, GENERATIONS);
    assert.equal((await install()).status, 0);
    const before = machine.tree();
    const names = [1, 2, 3].map((number) => lanzabooteFiles(machine, number));
    const wanted = names.flatMap(({ kernel, initrd }) => [kernel, initrd]);
    for (const path of wanted) assert.ok(path in before, path);
    // Lanzaboote copies a kernel only where the digests differ: what it would put there is there.
    for (const number of [1, 2, 3]) lanzabooteInstalls(machine, number);
    const after = machine.tree();
    for (const path of wanted) assert.equal(after[path], before[path]);
    // It removes what begins with `nixos-` among the images and is not its own.
    assert.deepEqual(machine.paths(/^EFI\/Linux\/(?!nixos-)/), []);
  });

  test('and back again, no kernel and no initrd is written', async (t) => {
    const { machine, install } = anLzbtMachine(t, GENERATIONS);
    await install();
    for (const path of machine.paths(/^EFI\/Linux\//)) rmSync(join(machine.esp, path));
    for (const number of [1, 2, 3]) lanzabooteInstalls(machine, number);
    age(machine);
    assert.equal((await install()).status, 0);
    for (const path of machine.paths(/^EFI\/nixos\//)) assert.ok(isOld(machine, path), path);
  });
});
