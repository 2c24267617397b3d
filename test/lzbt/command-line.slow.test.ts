/** The arguments and exit statuses of `lzbt-systemd`, as a hook meets them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bundle, linkLzbt } from '../../tools/bundle.ts';
import { MAIN } from '../command/a-machine.ts';
import { anLzbtMachine, type LzbtMachine } from './a-lzbt.ts';

/** Starts the program under the name of the second executable. */
function start({ machine, environment }: LzbtMachine, args: readonly string[]) {
  const program = join(machine.root, 'lzbt-systemd');
  rmSync(program, { force: true });
  symlinkSync(MAIN, program);
  const env = { ...process.env, ...environment };
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env });
}

describe('a process', () => {
  test('that is called as lanzaboote’s module calls it installs, and says so', (t) => {
    const lzbt = anLzbtMachine(t, [{}, {}]);
    const { machine, options, links } = lzbt;
    const { status, stderr } = start(lzbt, [
      ...['-vv', 'install', ...options, '--configuration-limit', '8'],
      ...['--bootcounting-initial-tries', '0', machine.esp, ...links()],
    ]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(machine.installed(), [1, 2]);
    assert.notEqual(stderr, '');
  });

  test('that is told to be quiet says nothing', (t) => {
    const lzbt = anLzbtMachine(t);
    const { machine, options, links } = lzbt;
    const ran = start(lzbt, ['-q', 'install', ...options, machine.esp, ...links()]);
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, '', '']);
  });

  test('of the bundle is the same', async (t) => {
    const program = linkLzbt(await bundle());
    const { machine, environment, options, links } = anLzbtMachine(t);
    const env = { ...process.env, ...environment };
    const args = [program, '-q', 'install', ...options, machine.esp, ...links()];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('that is called wrongly ends with 2, one that fails with 1', (t) => {
    const lzbt = anLzbtMachine(t);
    const wrong = start(lzbt, ['install', '--system']);
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /^lzbt-systemd: /);
    assert.equal(start(lzbt, []).status, 2);
    const failed = start(lzbt, ['install', ...lzbt.options, lzbt.machine.esp]);
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /^lzbt-systemd: there is no generation to install/);
  });
});

test('a broken generation is told with its reason, and the others are installed', (t) => {
  const lzbt = anLzbtMachine(t, [{ bootJson: '{' }, {}]);
  const { machine, options, links } = lzbt;
  const args = ['install', ...options, '--configuration-limit', '0', machine.esp, ...links()];
  const { status, stderr } = start(lzbt, args);
  assert.equal(status, 0);
  assert.match(stderr, /generation 1 is broken and left as it is: .*boot\.json/);
  assert.deepEqual(machine.installed(), [2]);
});

describe('the ESP', () => {
  const mounted = (esp: string, options: string) =>
    `36 35 254:1 / ${esp} ${options} - vfat /dev/vda1 ${options}\n`;

  test('that is mounted is looked at as one, a plain directory is filled', async (t) => {
    const lzbt = anLzbtMachine(t);
    lzbt.mounts = mounted(lzbt.machine.esp, 'ro');
    const { status, error } = await lzbt.install();
    assert.deepEqual([status, error?.code], [1, 'ESP_READ_ONLY']);
    lzbt.mounts = mounted(lzbt.machine.esp, 'rw');
    assert.equal((await lzbt.install()).status, 0);
    lzbt.mounts = '';
    assert.equal((await lzbt.install()).status, 0);
  });

  test('of a machine with Secure Boot on gets nothing that is not signed', async (t) => {
    const { machine, run, options, links } = anLzbtMachine(t);
    machine.variable('SecureBoot', 'global', Uint8Array.of(1));
    const unsigned = options
      .filter((option) => !option.includes('-key='))
      .map((option) => (option === 'false' ? 'true' : option));
    const keys = ['--public-key=/nowhere/a', '--private-key=/nowhere/b'];
    const ran = await run('-q', 'install', ...unsigned, ...keys, machine.esp, ...links());
    assert.deepEqual([ran.status, ran.error?.code], [1, 'SECURE_BOOT_UNSIGNED']);
    assert.deepEqual(machine.tree(), {});
  });
});

describe('a failure', () => {
  /** What is given instead of the right thing, the status it leads to, and what is said. */
  const failures: readonly (readonly [
    string,
    (lzbt: LzbtMachine) => readonly string[],
    number,
    RegExp,
  ])[] = [
    ['an unknown verb', () => ['uninstall'], 2, /unknown command/],
    ['no ESP', ({ options }) => ['install', ...options], 2, /missing required argument 'ESP'/],
    [
      'a limit that is no number',
      ({ options, machine, links }) => [
        ...['install', ...options, '--configuration-limit', 'many', machine.esp, ...links()],
      ],
      2,
      /expected a number/,
    ],
    [
      'a switch that is neither true nor false',
      ({ options, machine, links }) => [
        ...['install', ...options, '--allow-unsigned', 'maybe', machine.esp, ...links()],
      ],
      2,
      /expected true or false/,
    ],
    [
      'keys that are not there, when unsigned is not allowed',
      ({ options, machine, links }) => [
        ...['install', ...options, '--public-key=/nowhere', machine.esp, ...links()],
      ],
      1,
      /\/nowhere/,
    ],
    [
      'a pattern that matched no link',
      ({ options, machine }) => [
        ...['install', ...options, machine.esp, join(machine.profiles, 'system-*-link')],
      ],
      1,
      /no link of a generation/,
    ],
    [
      'another system',
      ({ options, machine, links }) => [
        ...['install', ...options, '--system', 'aarch64-linux', machine.esp, ...links()],
      ],
      1,
      /aarch64-linux/,
    ],
  ];
  for (const [what, args, status, words] of failures) {
    test(`${what} ends with ${status}, and nothing is touched`, async (t) => {
      const lzbt = anLzbtMachine(t);
      const ran = await lzbt.run(...args(lzbt));
      assert.equal(ran.status, status, ran.error?.message);
      assert.match(ran.error?.message ?? '', words);
      assert.deepEqual(lzbt.machine.tree(), {});
    });
  }

  test('no generation that can be read ends with 1, and nothing is touched', async (t) => {
    const { machine, install } = anLzbtMachine(t, [{}, {}]);
    assert.equal((await install()).status, 0);
    const before = machine.tree();
    for (const number of [1, 2]) writeFileSync(join(machine.toplevel(number), 'boot.json'), '{');
    const { status, error } = await install();
    assert.equal(status, 1);
    assert.match(error?.message ?? '', /no generation can boot: 2 generations are broken/);
    assert.deepEqual(machine.tree(), before);
  });

  test('no stub in the environment ends with 1', async (t) => {
    const lzbt = anLzbtMachine(t);
    const { machine, environment, options, links } = lzbt;
    const without = { ...environment, LANZABOOTE_STUB: '' };
    const args = ['install', ...options, machine.esp, ...links()];
    const { status, stderr } = start({ ...lzbt, environment: without }, args);
    assert.equal(status, 1);
    assert.match(stderr, /LANZABOOTE_STUB/);
  });
});
