/** The promise itself, without systemd: a root of exactly what is bound runs, and has nothing else. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { planConfinement } from '../../src/confine/confinement.ts';
import type { Bind } from '../../src/confine/library-search.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { hasTool } from './host.ts';

const STATIC_SHELL = '/bin/busybox';

/** Runs a command in a new root of binds alone: status and output, or undefined where none can be made. */
function runInside(
  t: TestContext,
  binds: readonly Bind[],
  command: readonly string[],
): { status: number | null; output: string } | undefined {
  const root = fs.mkdtempSync(join(tmpdir(), 'espalier-root-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const shell = (path: string): string => `'${path.replaceAll("'", `'\\''`)}'`;
  const lines = binds.flatMap(({ source, place }) => {
    const inside = shell(root + place);
    const make = fs.statSync(source).isDirectory()
      ? `mkdir -p ${inside}`
      : `mkdir -p ${shell(dirname(root + place))} && : > ${inside}`;
    return [make, `mount --bind ${shell(source)} ${inside}`];
  });
  const script = [
    'set -e',
    'mount --make-rprivate /',
    `mount -t tmpfs none ${shell(root)}`,
    ...lines,
    `exec chroot ${shell(root)} ${command.map(shell).join(' ')}`,
  ];
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  if (!mayMakeRoots(asRoot)) return undefined;
  const ran = spawnSync('unshare', ['--mount', ...asRoot, 'sh', '-c', script.join('\n')], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  return { status: ran.status, output: ran.stdout + ran.stderr };
}

function mayMakeRoots(options: readonly string[]): boolean {
  if (!hasTool('unshare') || !hasTool('chroot')) return false;
  const command = ['sh', '-c', 'mount -t tmpfs none /tmp'];
  return spawnSync('unshare', ['--mount', ...options, ...command]).status === 0;
}

/** Confines a service of this very system. */
async function bindsOf(t: TestContext, lines: readonly string[]): Promise<readonly Bind[]> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'espalier-unit-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const unit = join(directory, 'a.service');
  fs.writeFileSync(unit, ['[Service]', ...lines, ''].join('\n'));
  const request = {
    unit,
    closure: 'elf',
    mode: 'chroot-only',
    fullUnit: false,
    packages: [],
    binSh: '/bin/sh',
    output: undefined,
  } as const;
  return (await planConfinement(request, nodeDisk(), async () => [])).binds;
}

describe('a root of what is bound', () => {
  for (const [what, command] of [
    ['the dynamic shell', ['/bin/sh', '-c', 'echo ran']],
    ['this Node', [process.execPath, '-e', 'console.log("ran")']],
  ] as const) {
    test(`starts ${what}`, async (t) => {
      const ran = runInside(t, await bindsOf(t, [`ExecStart=${command[0]}`]), command);
      if (ran === undefined) return t.skip('needs to be allowed to mount');
      assert.deepEqual(ran, { status: 0, output: 'ran\n' });
    });
  }

  test('starts a script with what env finds for it', async (t) => {
    if (!hasTool('bash')) return t.skip('needs bash');
    const directory = fs.mkdtempSync(join(tmpdir(), 'espalier-script-'));
    t.after(() => fs.rmSync(directory, { recursive: true }));
    const script = join(directory, 'a script');
    fs.writeFileSync(script, '#!/usr/bin/env bash\necho ran\n', { mode: 0o755 });
    const ran = runInside(t, await bindsOf(t, [`ExecStart="${script}"`]), [script]);
    if (ran === undefined) return t.skip('needs to be allowed to mount');
    assert.deepEqual(ran, { status: 0, output: 'ran\n' });
  });

  test('starts a program that finds its libraries beside itself, called by a link', async (t) => {
    const java = '/usr/bin/java';
    if (!fs.existsSync(java)) return t.skip(`needs ${java}`);
    const ran = runInside(t, await bindsOf(t, [`ExecStart=${java}`]), [java, '-version']);
    if (ran === undefined) return t.skip('needs to be allowed to mount');
    // It misses what it looks for once it runs, which no header names; but its main has begun.
    assert.doesNotMatch(ran.output, /loading shared libraries/);
  });

  test('lists the bound paths, the directories above them and nothing else', async (t) => {
    if (!fs.existsSync(STATIC_SHELL)) return t.skip('needs busybox');
    const binds = await bindsOf(t, [`ExecStart=${STATIC_SHELL}`, 'ExecStop=/bin/bash -c :']);
    const ran = runInside(t, binds, [STATIC_SHELL, 'find', '/', '-mindepth', '1']);
    if (ran === undefined) return t.skip('needs to be allowed to mount');
    const above = (path: string): string[] => (path === '/' ? [] : [path, ...above(dirname(path))]);
    const expected = [...new Set(binds.flatMap(({ place }) => above(place)))];
    assert.deepEqual(ran.output.trim().split('\n').sort(), expected.sort());
    assert.ok(expected.length < 25, `${expected.length} paths`);
  });

  test('without one library does not start the program: none is bound for nothing', async (t) => {
    const binds = await bindsOf(t, ['ExecStart=/bin/bash']);
    const run = (some: readonly Bind[]) => runInside(t, some, ['/bin/bash', '-c', 'echo ran']);
    if (run(binds) === undefined) return t.skip('needs to be allowed to mount');
    assert.equal(run(binds)?.output, 'ran\n');
    for (const missing of binds.filter(({ place }) => /\.so|bash/.test(place))) {
      const rest = binds.filter((bind) => bind !== missing);
      if (missing.place === '/etc/ld.so.cache') continue; // Spares a search of the usual places.
      assert.notEqual(run(rest)?.status, 0, missing.place);
    }
  });
});
