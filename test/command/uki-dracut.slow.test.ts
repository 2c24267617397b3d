/** `uki build --dracut` with a stand-in that notes how it was called. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

/** A workbench whose PATH has a dracut that runs these lines of shell, its output being `$out`. */
function withDracut(t: TestContext, script: string): Workbench {
  const bench = aWorkbench(t);
  const lines = ['#!/bin/sh', 'for out; do :; done', script, ''];
  fs.chmodSync(bench.put('bin/dracut', lines.join('\n')), 0o755);
  fs.mkdirSync(bench.path('tmp'));
  bench.environment = {
    PATH: `${bench.path('bin')}:/usr/bin:/bin`,
    TMPDIR: bench.path('tmp'),
    PIN: '1234',
  };
  return bench;
}

function initrdOf(bench: Workbench): string {
  const source = bytesSource(bench.bytes('out.efi'));
  const section = findSection(parsePe(source), '.initrd');
  assert.ok(section);
  return new TextDecoder().decode(readSection(source, section, 1 << 20));
}

describe('an initrd by dracut', () => {
  test('dracut is given its options and a name for the archive, which comes first', async (t) => {
    const bench = withDracut(t, 'printf "%s\\n" "$@" > "$out"');
    const lists = ['--add', 'systemd bash', '--add', 'dm', '--install', '/etc/hostname'];
    const more = [
      '--add-drivers',
      'erofs',
      '--force-drivers',
      'dm-verity',
      '--filesystems',
      'vfat',
    ];
    const { error } = await bench.build('--dracut', '--kver', '6.1.0', ...lists, ...more);
    assert.equal(error, undefined);
    const [text = '', rest = ''] = initrdOf(bench).split(/\n(?=\0)/);
    const words = text.split('\n');
    assert.match(words.pop() ?? '', /tmp\/espalier-dracut-\w+\/initrd$/);
    assert.deepEqual(words, [
      ...['--no-uefi', '--kver', '6.1.0', '--install', '/etc/hostname'],
      ...['--add', 'systemd bash', '--add', 'dm', '--add-drivers', 'erofs'],
      ...['--force-drivers', 'dm-verity', '--filesystems', 'vfat'],
    ]);
    assert.ok(rest.length > 5000, 'the archive of --initrd is behind it');
    assert.deepEqual(fs.readdirSync(bench.path('tmp')), []);
  });

  test('dracut sees the few variables it needs and a private place', async (t) => {
    const bench = withDracut(t, 'env > "$out"; stat -c %a "$TMPDIR" >> "$out"');
    await bench.build('--dracut', '--uname', '6.2');
    const names = [...initrdOf(bench).matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    const own = ['PWD', 'OLDPWD', 'SHLVL', '_'];
    assert.deepEqual(names.filter((name) => !own.includes(name ?? '')).sort(), [
      ...['HOME', 'LANG', 'PATH', 'TMPDIR'],
    ]);
    assert.match(initrdOf(bench), /^700$/m);
  });

  const failures: readonly (readonly [string, string, RegExp])[] = [
    ['that fails', 'echo no modules >&2; exit 3', /dracut ended with status 3: no modules/],
    ['that leaves nothing', ':', /expected it to leave an initrd, got none/],
    ['that leaves a link', 'ln -s /etc/passwd "$out"', /expected it to leave an initrd, got none/],
  ];
  for (const [name, script, message] of failures) {
    test(`a dracut ${name} fails the build, and nothing is left`, async (t) => {
      const bench = withDracut(t, script);
      const { status, error } = await bench.build('--dracut', '--kver', '6.1.0');
      assert.equal(status, 1);
      assert.equal(error?.code, 'DRACUT_FAILED');
      assert.match(error?.message ?? '', message);
      assert.deepEqual(fs.readdirSync(bench.path('tmp')), []);
      assert.equal(fs.existsSync(bench.path('out.efi')), false);
    });
  }

  test('without dracut, that is told', async (t) => {
    const bench = withDracut(t, ':');
    fs.rmSync(join(bench.folder, 'bin/dracut'));
    bench.environment = { ...bench.environment, PATH: bench.path('bin') };
    const { error } = await bench.build('--dracut', '--kver', '6.1.0');
    assert.match(error?.message ?? '', /dracut cannot be run: there is no such program/);
  });

  test('options for dracut mean nothing without it, and it must know the release', async (t) => {
    const bench = withDracut(t, ':');
    for (const flag of ['kver', 'install', 'force-drivers']) {
      const { status, error } = await bench.build(`--${flag}`, 'x');
      assert.equal(status, 2);
      assert.equal(error?.message, `--${flag}: it is for --dracut, which is not given`);
    }
    const { error } = await bench.build('--dracut');
    assert.match(error?.message ?? '', /the kernel does not tell its release; give --kver/);
  });
});
