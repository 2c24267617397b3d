/** One thing that is not as it should be stops nothing else, and never for ever. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { takeOver } from '../../src/esp/adoption.ts';
import { scanInventory } from '../../src/esp/scan-inventory.ts';
import { IMAGE_KINDS } from '../../src/plan/images.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { aMachine, type Machine } from './a-machine.ts';

const TIB = 2 ** 40;

/** Gives a file of a generation another size, of which nothing is on the disk. */
function makeSparse(machine: Machine, number: number, role: 'kernel' | 'initrd', size: number) {
  const path = fs.realpathSync(join(machine.toplevel(number), role));
  fs.chmodSync(path, 0o644);
  fs.truncateSync(path, size);
}

describe('what FAT cannot hold is not read:', () => {
  for (const format of ['uki', 'type1']) {
    for (const secrets of [undefined, 'echo secret >> "$1"']) {
      test(`an initrd of eight tebibytes (${format}${secrets ? ', with secrets' : ''})`, async (t) => {
        const shape = { initrd: 'huge', ...(secrets && { secrets }) };
        const machine = aMachine(t, { generations: [shape, {}] });
        makeSparse(machine, 1, 'initrd', 8 * TIB);
        const { status } = await machine.run('install', '--format', format);
        assert.equal(status, 5);
        assert.deepEqual(machine.installed(), [2]);
      });
    }
  }

  test('parts of an image that fit only one by one', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'huge' }] });
    makeSparse(machine, 1, 'initrd', 4 * 2 ** 30 - 100);
    const { error } = await machine.run('install');
    assert.equal(
      error?.cause instanceof Error && 'code' in error.cause && error.cause.code,
      'FILE_TOO_LARGE',
    );
  });

  test('an extra file', async (t) => {
    const machine = aMachine(t);
    const [config, source] = [join(machine.root, 'config'), join(machine.root, 'huge')];
    fs.writeFileSync(source, '');
    fs.truncateSync(source, 8 * TIB);
    fs.writeFileSync(config, `[extra-files]\n"huge.bin" = ${JSON.stringify(source)}\n`);
    const { status, error } = await machine.run('install', '--config', config);
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /extra-files\.huge\.bin: .* all that FAT can hold/);
  });
});

test('a generation whose number has no place in a name on the ESP is set apart', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  for (const [number, name] of [
    [1, 1_234_567_890_123_456],
    [2, 999_999_999_999_999],
  ] as const)
    fs.renameSync(machine.link(number), machine.link(name));
  fs.rmSync(join(machine.profiles, 'system'));
  fs.symlinkSync('system-999999999999999-link', join(machine.profiles, 'system'));
  for (let run = 0; run < 2; run++) {
    const { status, output } = await machine.run('install');
    assert.equal(status, 5);
    assert.match(output, run === 0 ? /written/ : /nothing to do/);
    assert.deepEqual(machine.installed(), [999_999_999_999_999]);
  }
});

describe('--adopt', () => {
  const guests = [
    ...['fwupdx64.efi', 'fwupdx64.efi.signed', 'FWUPDIA32.EFI', 'fwupx64.efi'],
    ...['grubx64.efi', 'shimx64.efi', 'mmx64.efi', 'BOOTX64.CSV', 'refind_x64.efi'],
  ];

  test('leaves what fwupd and other boot loaders put among the kernels', async (t) => {
    const machine = aMachine(t);
    for (const name of guests) machine.put(`EFI/nixos/${name}`, name);
    machine.put('EFI/nixos/old-kernel.efi', 'stray');
    await machine.run('install', '--adopt');
    for (const name of guests) assert.equal(machine.read(`EFI/nixos/${name}`), name);
    assert.deepEqual(machine.paths(/old-kernel/), []);
  });

  test('comes to an end on directories that contain each other', () => {
    const disk = new MemoryDisk({
      capacity: 1 << 24,
      files: { '/boot/EFI/nixos/.extra-files/a/x': '', '/boot/EFI/nixos/.extra-files/b/x': '' },
    });
    const tree = '/boot/EFI/nixos/.extra-files';
    let listings = 0;
    // Every directory below leads to the two of the first level again.
    const list = (path: string) => {
      assert.ok(++listings < 10_000, 'it does not end');
      const isInside = path.startsWith(`${tree}/`);
      return disk.list(isInside ? tree : path);
    };
    const cyclic = {
      ...disk,
      list,
      stat: disk.stat.bind(disk),
      linkStat: disk.linkStat.bind(disk),
    };
    const inventory = scanInventory(disk, '/boot', 'nixos', IMAGE_KINDS);
    takeOver(inventory, cyclic as unknown as MemoryDisk, '/boot', 'nixos');
    assert.ok(listings > 2);
  });
});

describe('a kernel parameter', () => {
  test('is taken without the white space at its ends', async (t) => {
    const machine = aMachine(t, {
      generations: [{ kernelParams: ['quiet\n', '\t loglevel=4 ', 'a="b c"'] }],
    });
    const { status } = await machine.run('install', '--format', 'type1');
    assert.equal(status, 0);
    const [entry = ''] = machine.paths(/^loader\/entries\/nixos.*\.conf$/);
    assert.match(machine.read(entry), /^options init=\S+ quiet loglevel=4 a="b c"$/m);
  });

  test('with a line end inside breaks its generation, and says where it is from', async (t) => {
    const machine = aMachine(t, { generations: [{ kernelParams: ['quiet\nevil'] }] });
    const { error } = await machine.run('install');
    assert.match(String(error?.cause ?? error?.message), /boot\.kernelParams/);
  });
});
