import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { type Guid, guidBytes } from '../../src/guid.ts';
import { parseBootOption, parseBootOrder } from '../../src/loader/boot-option.ts';
import { parseSignatureLists } from '../../src/secureboot/signature-list.ts';
import { readVariables, type StoredVariable } from '../../src/secureboot/variable-store.ts';
import type { Workbench } from '../command/a-uki.ts';
import { readDocument } from '../support/read-document.ts';
import { aVerityBench, build, define } from './an-image.ts';

const STORE = 200_000;

/** An empty file of variables, as OVMF has one. */
function aTemplate(): Uint8Array {
  const file = new Uint8Array(72 + STORE).fill(0xff);
  file.fill(0, 0, 72);
  file.set(new TextEncoder().encode('_FVH'), 40);
  file.set([72, 0], 48);
  file.set(guidBytes('aaf32c78-947b-439a-a180-2e144ec37792' as Guid), 72);
  new DataView(file.buffer).setUint32(88, STORE, true);
  file.set([0x5a, 0xfe, 0, 0, 0, 0, 0, 0], 92);
  return file;
}

/** A bench with a template, and definitions of a disk with two programs on its ESP. */
function aBench(t: TestContext): Workbench {
  const bench = aVerityBench(t);
  bench.put('template.fd', aTemplate());
  bench.put('esp/EFI/BOOT/BOOTX64.EFI', 'a loader');
  bench.put('esp/EFI/tool.efi', 'a tool');
  const copied = `CopyFiles=${bench.path('esp')}:/`;
  define(
    bench,
    '00-esp',
    'Type=esp',
    'Format=vfat',
    'SizeMinBytes=34M',
    'SizeMaxBytes=34M',
    copied,
  );
  return bench;
}

const named = (variables: readonly StoredVariable[], name: string): Uint8Array =>
  variables.find((each) => each.name === name)?.data ?? assert.fail(`there is no ${name}`);

function variablesIn(bench: Workbench, name: string): readonly StoredVariable[] {
  return readVariables(readFileSync(bench.path(name)), name);
}

describe('a file of EFI variables', () => {
  test('is made with the image: keys of its owner, and a boot entry for its partition', async (t) => {
    const bench = aBench(t);
    const keys = await bench.run(['keys', 'generate', bench.path('sbctl'), '--bits', '2048']);
    assert.equal(keys.error, undefined, keys.error?.message);
    const vars = ['--efi-vars', bench.path('vars.fd'), '--firmware', bench.path('template.fd')];
    const rows = await build(bench, 'disk.qcow2', ...vars, '--keys', bench.path('sbctl'));
    const variables = variablesIn(bench, 'vars.fd');
    const owner = readFileSync(bench.path('sbctl/GUID'), 'utf8').trim();
    for (const key of ['PK', 'KEK', 'db']) {
      const [signature] = parseSignatureLists(named(variables, key));
      assert.equal(signature?.owner, owner, key);
    }
    assert.deepEqual([...named(variables, 'SecureBootEnable')], [1]);
    assert.deepEqual(parseBootOrder(named(variables, 'BootOrder')), [0]);
    assert.deepEqual(parseBootOption(named(variables, 'Boot0000')), {
      ...{ isActive: true, partition: rows[0]?.uuid, path: '\\EFI\\BOOT\\BOOTX64.EFI' },
      title: 'Linux Boot Manager',
    });
    // The same again gives the same bytes.
    const again = [
      'image',
      'efi-vars',
      bench.path('template.fd'),
      '--output',
      bench.path('again.fd'),
    ];
    const more = ['--keys', bench.path('sbctl'), '--image', bench.path('disk.qcow2')];
    assert.equal((await bench.run([...again, ...more])).status, 0);
    assert.ok(readFileSync(bench.path('again.fd')).equals(readFileSync(bench.path('vars.fd'))));
  });

  test('starts what it is told to, in that order, before what was there', async (t) => {
    const bench = aBench(t);
    await build(bench, 'disk.raw');
    const at = ['--image', bench.path('disk.raw#1')];
    const first = [
      'image',
      'efi-vars',
      bench.path('template.fd'),
      '--output',
      bench.path('one.fd'),
      ...at,
    ];
    assert.equal((await bench.run(first)).status, 0);
    const both = ['--boot', 'EFI/tool.efi', '--boot', '\\EFI\\BOOT\\BOOTX64.EFI'];
    const second = [
      'image',
      'efi-vars',
      bench.path('one.fd'),
      '--output',
      bench.path('two.fd'),
      ...at,
      ...both,
    ];
    const { output } = await bench.run([...second, '--json']);
    assert.equal(readDocument('image efi-vars', output)['enrolled'], false);
    const variables = variablesIn(bench, 'two.fd');
    assert.deepEqual(parseBootOrder(named(variables, 'BootOrder')), [1, 2, 0]);
    assert.equal(parseBootOption(named(variables, 'Boot0001'))?.path, '\\EFI\\tool.efi');
    assert.ok(!variables.some(({ name }) => name === 'PK'), 'Secure Boot is as in the template');
  });

  test('is refused before anything is made where it could not be, and leaves nothing', async (t) => {
    const bench = aBench(t);
    const command = [
      'image',
      'efi-vars',
      bench.path('template.fd'),
      '--output',
      bench.path('vars.fd'),
    ];
    const failing = async (...args: readonly string[]) => (await bench.run([...args])).error;
    await build(bench, 'disk.raw');
    const image = ['--image', bench.path('disk.raw')];
    assert.match(
      (await failing(...command, ...image, '--boot', '/EFI/none.efi'))?.message ?? '',
      /has no \/EFI\/none\.efi/,
    );
    assert.match(
      (await failing(...command, '--boot', '/a.efi'))?.message ?? '',
      /expected --image/,
    );
    const bad = ['image', 'efi-vars', bench.path('disk.raw'), '--output', bench.path('vars.fd')];
    assert.match((await failing(...bad))?.message ?? '', /expected a firmware volume/);
    assert.ok(!existsSync(bench.path('vars.fd')));
    bench.put('there.fd', 'precious');
    const given = ['--efi-vars', bench.path('there.fd'), '--firmware', bench.path('template.fd')];
    const args = [
      'image',
      'build',
      '--definitions',
      bench.path('defs'),
      '--output',
      bench.path('new.raw'),
    ];
    assert.match((await failing(...args, ...given))?.message ?? '', /is there already/);
    assert.ok(!existsSync(bench.path('new.raw')));
    const absent = ['--efi-vars', bench.path('vars.fd'), '--firmware', bench.path('template.fd')];
    const noKeys = await failing(...args, ...absent, '--keys', bench.path('no-keys'));
    assert.equal(noKeys?.code, 'KEY_INVALID');
    assert.ok(!existsSync(bench.path('new.raw')));
    const same = ['--efi-vars', bench.path('new.raw'), '--firmware', bench.path('template.fd')];
    assert.match((await failing(...args, ...same))?.message ?? '', /are to be one file/);
    const noTemplate = ['--efi-vars', bench.path('vars.fd'), '--firmware', bench.path('there.fd')];
    assert.match((await failing(...args, ...noTemplate))?.message ?? '', /firmware volume/);
    assert.ok(!existsSync(bench.path('new.raw')));
  });
});
