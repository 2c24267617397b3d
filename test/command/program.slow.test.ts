/** The program as a process: its words on stderr, its exit statuses, and two of it at once. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { acquireLock, lockDirectory } from '../../src/transaction/lock.ts';
import { aMachine, MAIN, type Machine } from './a-machine.ts';

function espalier(machine: Machine, ...args: readonly string[]) {
  const env = { PATH: process.env['PATH'], ...machine.environment() };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env });
}

function startInstall(t: TestContext, machine: Machine) {
  const args = ['install', ...machine.arguments(), '--allow-unsigned'];
  const env = { PATH: process.env['PATH'], ...machine.environment() };
  const child = spawn(process.execPath, [MAIN, ...args], { env });
  t.after(() => child.kill());
  return child;
}

describe('a process', () => {
  test('a run that went well says so on stdout, logs on stderr, and ends with 0', (t) => {
    const machine = aMachine(t);
    const args = ['install', ...machine.arguments(), '--allow-unsigned'];
    const { status, stdout, stderr } = espalier(machine, ...args, '-v');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /boots next: nixos-generation-1-/);
    const [line = ''] = stderr.trim().split('\n');
    assert.match(line, /^espalier: info: installed \(/);
    const json = espalier(machine, ...args, '-v', '--log-format', 'json', '--force');
    assert.equal(JSON.parse(json.stderr.split('\n')[0] ?? '').level, 30, json.stderr);
  });

  test('a refusal is one line with its code, and a hint', (t) => {
    const machine = aMachine(t);
    const { status, stdout, stderr } = espalier(machine, 'install', '--esp', '/none');
    assert.equal(status, 3);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^espalier: \/none: no such directory \[ESP_NOT_MOUNTED\]\n {2}hint: .*\n$/,
    );
  });

  const misuses: readonly (readonly [readonly string[], RegExp, hint: RegExp])[] = [
    [['instal'], /unknown command 'instal' /, /did you mean install\? see espalier --help$/m],
    [['uki', 'biuld'], /unknown command 'biuld' /, /did you mean build\? see espalier --help$/m],
    [['xyz'], /unknown command 'xyz' /, /hint: see espalier --help$/m],
    [
      ['install', '--limt', '3'],
      /unknown option '--limt' /,
      /did you mean --limit\? see espalier install --help$/m,
    ],
    [
      ['install', 'a', 'b'],
      /expected at most 1 operand, got a, b /,
      /hint: see espalier install --help$/m,
    ],
    [
      ['install', '--limit'],
      /--limit: expected N, got nothing/,
      /hint: see espalier install --help$/m,
    ],
    [['list', '/nix/store/x'], /expected no operand, got /, /hint: see espalier list --help$/m],
    [
      ['install', '--limit', 'many'],
      /--limit: expected a number from 0, got "many"/,
      /install --help$/m,
    ],
    [['--json', 'list'], /unknown option '--json'/, /options stand behind the verb/],
  ];
  for (const [args, expected, hint] of misuses) {
    test(`${args.join(' ')} is misuse`, (t) => {
      const { status, stderr } = espalier(aMachine(t), ...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, expected);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /\\n|never/);
    });
  }

  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['pin', '--format', 'uki', '1'], /install, plan, watch, status, report, verify, .* do; /],
    [['list', '--limit', 'many'], /install, plan, watch, status, report, repair.* gc.* do; /],
    [['verify', '--private-key=x'], / gc, verity sign, .* and sign do; /],
    [['install', '--rescan', '3'], /watch does; see espalier install --help/],
    [['status', '--lock-timeout', '3'], /install, .* and keys enroll do; /],
    [['gc', '--force'], /install, plan, watch, status, report, repair.* do; /],
  ];
  for (const [args, users] of refused) {
    test(`${args.join(' ')} is refused, and the hint names the verbs that use the option`, (t) => {
      const { status, stderr } = espalier(aMachine(t), ...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, new RegExp(`^espalier: ${args[0]} does not use --[a-z-]+ \\[`));
      assert.match(stderr, users);
    });
  }

  test('a setting that only other verbs use is accepted from the file and the environment', (t) => {
    const machine = aMachine(t);
    const config = join(machine.root, 'espalier.toml');
    fs.writeFileSync(config, 'format = "type1"\nforce = true\n');
    const pins = ['--pins', join(machine.root, 'pins'), '--config', config];
    const env = { ...machine.environment(), ESPALIER_LIMIT: '3', PATH: process.env['PATH'] };
    const args = [MAIN, 'pin', '1', '--profiles', machine.profiles, ...pins];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    assert.equal(status, 0, stderr);
  });

  test('the help of pin fits a screen of 24 lines', (t) => {
    const { stdout } = espalier(aMachine(t), 'pin', '--help');
    assert.ok(stdout.trimEnd().split('\n').length <= 24, stdout);
    assert.match(stdout, /--pins <DIR>/);
  });

  test('help and version go to stdout and end well; nothing at all is misuse', (t) => {
    const machine = aMachine(t);
    const help = espalier(machine, '--help');
    assert.equal(help.status, 0);
    for (const verb of ['install', 'plan', 'list', 'status'])
      assert.match(help.stdout, new RegExp(verb));
    const verb = espalier(machine, 'install', '--help');
    assert.equal(verb.status, 0);
    assert.match(verb.stdout, /--private-key <FILE>/);
    assert.match(verb.stdout, /Example:\n {2}\$ espalier install/);
    assert.match(espalier(machine, '--version').stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal(espalier(machine).status, 2);
  });

  test('a broken generation is told on stderr, and the run ends with 5', (t) => {
    const machine = aMachine(t, { generations: [{ kernel: 'text' }, {}] });
    const { status, stderr } = espalier(
      machine,
      'install',
      ...machine.arguments(),
      '--allow-unsigned',
    );
    assert.equal(status, 5);
    assert.match(stderr, /^espalier: warning: generation 1 is broken and left as it is/m);
  });

  test('everything about a run may come from the environment', (t) => {
    const machine = aMachine(t);
    const env = {
      ...machine.environment(),
      PATH: process.env['PATH'],
      ESPALIER_ESP: machine.esp,
      ESPALIER_ALLOW_DIRECTORY: '1',
      ESPALIER_ALLOW_UNSIGNED: '1',
      ESPALIER_PROFILES: machine.profiles,
      ESPALIER_SYSTEMD: machine.systemd,
      ESPALIER_CACHE_DIR: join(machine.root, 'cache'),
      ESPALIER_BOOTED: '/none',
    };
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'install'], {
      env,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.deepEqual(machine.installed(), [1]);
  });
});

describe('two at once', () => {
  const uid = process.getuid?.() ?? 0;

  /** Takes the lock of a machine's ESP, as another run of ours would. */
  function hold(machine: Machine) {
    const { dev, ino } = fs.statSync(machine.esp);
    const directory = lockDirectory(machine.environment(), uid);
    const key = `${dev.toString(16)}-${ino.toString(16)}`;
    return acquireLock({ disk: nodeDisk(), directory, key, verb: 'install', timeoutSeconds: 1 });
  }

  test('a run that waits in vain says who is at work, and touches nothing', async (t) => {
    const machine = aMachine(t);
    using _held = await hold(machine);
    const args = [...machine.arguments(), '--allow-unsigned', '--lock-timeout', '0'];
    const { status, stderr } = espalier(machine, 'install', ...args);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`another run .* \\(install, process ${process.pid}, since `));
    assert.match(stderr, /\[LOCKED\]\n {2}hint: /);
    assert.deepEqual(machine.tree(), {});
  });

  test('a run waits for the one before it, says for whom, and then does its work', async (t) => {
    const machine = aMachine(t);
    const held = await hold(machine);
    const child = startInstall(t, machine);
    const [said] = await once(child.stderr, 'data');
    assert.match(String(said), new RegExp(`^espalier: .*: waiting .*process ${process.pid}`));
    assert.deepEqual(machine.tree(), {});
    held.release();
    const [status] = await once(child, 'exit');
    assert.equal(status, 0);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('a run that waited goes by the profiles as they are when its turn comes', async (t) => {
    const machine = aMachine(t);
    const held = await hold(machine);
    const child = startInstall(t, machine);
    await once(child.stderr, 'data');
    machine.generations([{}, {}]);
    held.release();
    const [status] = await once(child, 'exit');
    assert.equal(status, 0);
    assert.deepEqual(machine.installed(), [1, 2]);
    assert.equal(machine.next(), 2);
  });

  test('a run with nothing to do waits for nobody', async (t) => {
    const machine = aMachine(t);
    await machine.run('install');
    using _held = await hold(machine);
    const args = [...machine.arguments(), '--allow-unsigned', '--lock-timeout', '0'];
    assert.equal(espalier(machine, 'install', ...args).status, 0);
  });

  test('a run that is killed leaves remains that the next one sweeps', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: new Uint8Array(48 << 20) }] });
    const args = ['install', ...machine.arguments(), '--allow-unsigned'];
    const env = { PATH: process.env['PATH'], ...machine.environment() };
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    while (machine.paths(/\.espalier-/).length === 0 && child.exitCode === null) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(espalier(machine, ...args).status, 0);
    assert.deepEqual(machine.paths(/\.espalier-/), []);
    assert.deepEqual(machine.installed(), [1]);
  });
});
