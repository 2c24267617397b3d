/** The executable needs nothing beside itself, and does what the bundle does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { executable } from '../../tools/executable.ts';
import { aMachine } from '../command/a-machine.ts';

describe('one executable', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-executable-test-'));
  const file = join(folder, 'espalier');
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = { PATH: '/nowhere' }) =>
    spawnSync(file, args, { encoding: 'utf8', env, maxBuffer: 2 ** 26 });

  before(() => executable('x64', file));
  after(() => rmSync(folder, { recursive: true }));

  test('says what it is', () => {
    const { status, stdout } = start(['--version', '--json']);
    assert.equal(status, 0);
    const { commit, ...told } = JSON.parse(stdout);
    const { version } = JSON.parse(
      readFileSync(resolve(import.meta.dirname, '../../package.json'), 'utf8'),
    );
    const node = process.versions.node;
    assert.deepEqual(told, {
      name: 'espalier',
      version,
      node,
      architecture: 'x64',
      build: 'executable',
    });
    assert.ok(commit === null || /^[0-9a-f]{40}$/.test(commit));
  });

  test('installs, and has nothing to do the second time', (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const args = ['install', ...machine.arguments(), '--allow-unsigned'];
    const env = { ...machine.environment(), PATH: '/nowhere' };
    const first = start(args, env);
    assert.equal(first.status, 0, first.stderr);
    // Small files are replaced as a whole by a package that asks for the name of its own file.
    assert.ok(existsSync(join(machine.root, 'cache/systems.json')));
    assert.match(start(args, env).stdout, /nothing to do/);
  });

  test('hashes on a second thread, which comes out of the executable as well', () => {
    const data = join(folder, 'data');
    writeFileSync(data, '');
    truncateSync(data, 200 * 1024 * 1024);
    const args = ['verity', 'format', data, join(folder, 'hash'), '--salt', '-'];
    const hasSecond = () => {
      const { status, stderr } = start(args, { NODE_DEBUG: 'worker' });
      assert.equal(status, 0, stderr);
      return /\[1\] starts worker script/.test(stderr);
    };
    // On a busy machine the first thread may be done before the second one has begun.
    assert.ok(Array.from({ length: 5 }).some(hasSecond));
  });

  test('is lzbt-systemd under that name', () => {
    symlinkSync(file, join(folder, 'lzbt-systemd'));
    const { stderr } = spawnSync(join(folder, 'lzbt-systemd'), ['install'], { encoding: 'utf8' });
    assert.match(stderr, /^lzbt-systemd: /);
  });

  test('takes options of Node from its own command line, and from no environment', () => {
    const args = ['--node-options=--jitless', '--version'];
    assert.equal(start(args).stdout, start(['--version']).stdout);
    const evil = join(folder, 'evil.cjs');
    writeFileSync(evil, 'console.log("evil")');
    const { stdout } = start(['--version'], { NODE_OPTIONS: `--require ${evil}` });
    assert.doesNotMatch(stdout, /evil/);
  });
});
