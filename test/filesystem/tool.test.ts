import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { makerOf } from '../../src/filesystem/file-systems.ts';
import type { Request } from '../../src/filesystem/request.ts';
import { findTool, isAtLeast, MKFS_EROFS, runTool, SQFSTAR } from '../../src/filesystem/tool.ts';
import { aDirectory, plant, treeOf } from '../tree/a-tree.ts';
import { aWorkshop, PLAIN } from './a-workshop.ts';

/** A workshop where only these programs are, each a script. */
function withPrograms(t: TestContext, scripts: Readonly<Record<string, string>>) {
  const at = aDirectory(t);
  const named = Object.entries(scripts).map(([name, body]) => [
    `bin/${name}`,
    `#!/bin/sh\n${body}\n`,
  ]);
  plant(at, Object.fromEntries(named));
  for (const name of Object.keys(scripts)) chmodSync(at(`bin/${name}`), 0o755);
  const workshop = aWorkshop({ PATH: `${at('bin')}:/usr/bin:/bin` });
  t.after(() => workshop[Symbol.dispose]());
  return workshop;
}

const request = (settings: Partial<Request> = {}): Request => ({
  ...PLAIN,
  tree: treeOf([]),
  ...settings,
});

describe('a program that makes file systems', () => {
  test('is compared by its version, number by number', () => {
    for (const [have, least] of [
      ['1.47.1', '1.47.1'],
      ['1.47.10', '1.47.9'],
      ['2.0', '1.47.1'],
      ['1.48', '1.47.1'],
    ]) {
      assert.ok(isAtLeast(have ?? '', least ?? ''), `${have} ${least}`);
    }
    for (const [have, least] of [
      ['1.47', '1.47.1'],
      ['1.46.9', '1.47'],
      ['4.5.1', '4.6'],
    ]) {
      assert.ok(!isAtLeast(have ?? '', least ?? ''), `${have} ${least}`);
    }
  });

  test('that is too old is named with its version, the one that can, what for, and the packages', (t) => {
    const workshop = withPrograms(t, {
      sqfstar: 'echo "sqfstar version 4.5.1"',
      'mkfs.erofs': 'echo 1.5 >&2',
    });
    assert.equal(makerOf('squashfs').plan(request(), workshop).by, 'sqfstar 4.5.1');
    const level = request({ compression: { algorithm: 'zstd', level: 3 } });
    assert.throws(() => makerOf('squashfs').plan(level, workshop), {
      code: 'TOOL_MISSING',
      message:
        /sqfstar: expected version 4\.6 or newer for a level of compression, but .* is 4\.5\.1/,
      hint: /squashfs-tools of a newer Debian, or nix-shell -p squashfsTools/,
    });
    const packed = request({ compression: { algorithm: 'lz4' } });
    assert.throws(() => makerOf('erofs').plan(packed, workshop), {
      code: 'TOOL_MISSING',
      message: /mkfs\.erofs: expected version 1\.8 or newer for compression/,
    });
  });

  test('that is not there is named, and none is needed for what we write ourselves', (t) => {
    const workshop = withPrograms(t, {});
    const nowhere = { ...workshop, machine: { ...workshop.machine, findProgram: () => undefined } };
    assert.equal(makerOf('swap').plan(request(), nowhere).by, 'espalier');
    assert.throws(() => makerOf('ext4').plan(request(), nowhere), {
      code: 'TOOL_MISSING',
      message: /mkfs\.ext4: .* there is none/,
    });
    assert.throws(() => makerOf('btrfs').plan(request(), nowhere), {
      code: 'TOOL_MISSING',
      message: /tar: .*; mkfs\.btrfs: /,
      hint: /apt-get install tar btrfs-progs, or nix-shell -p /,
    });
    assert.throws(() => makerOf('ntfs'), {
      code: 'CONFIG_INVALID',
      message: /expected one of ext4/,
    });
  });

  test('that fails is told with its last messages', async (t) => {
    const workshop = withPrograms(t, {
      'mkfs.erofs':
        'case $1 in --version) echo 1.8;; *) echo a >&2; echo "no room" >&2; exit 3;; esac',
    });
    const tool = findTool(MKFS_EROFS, { version: '1.0' }, workshop);
    await assert.rejects(runTool(tool, { argv: ['x'] }, workshop), {
      code: 'TOOL_FAILED',
      message: 'mkfs.erofs 1.8 ended with status 3: a / no room',
    });
  });

  test('that ends before it has read its input is told by its status, and a failing input by its own error', async (t) => {
    const workshop = withPrograms(t, {
      sqfstar: 'case $1 in -version) echo 4.6;; early) exit 2;; *) exec cat >/dev/null;; esac',
    });
    const tool = findTool(SQFSTAR, { version: '4.5' }, workshop);
    const zeros = Array.from({ length: 100 }, () => new Uint8Array(65_536));
    await assert.rejects(runTool(tool, { argv: ['early'], input: zeros }, workshop), {
      code: 'TOOL_FAILED',
      message: /ended with status 2/,
    });
    await runTool(tool, { argv: ['all'], input: zeros }, workshop);
    function* broken(): Generator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error('the source is gone');
    }
    await assert.rejects(
      runTool(tool, { argv: ['all'], input: broken() }, workshop),
      /the source is gone/,
    );
  });
});
