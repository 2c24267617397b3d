/** What was done is what the status says, whether or not anybody could be told. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, type TestContext, test } from 'node:test';
import { aKernel, aMachine, MAIN, type Machine } from './a-machine.ts';

/** Runs a line of shell with the program as `"$@"`. */
function shell(machine: Machine, line: string, ...args: readonly string[]) {
  const words = ['-c', line, 'sh', process.execPath, MAIN, ...args];
  const environment = { ...process.env, ...machine.environment() };
  return spawnSync('bash', words, { encoding: 'utf8', env: environment });
}

function installing(t: TestContext, ...more: readonly string[]) {
  const machine = aMachine(t);
  return { machine, args: ['install', ...machine.arguments(), '--allow-unsigned', ...more] };
}

describe('a full standard output', () => {
  test('is one line on standard error, and the run is done', (t) => {
    const { machine, args } = installing(t);
    const { status, stderr } = shell(machine, '"$@" > /dev/full', ...args);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^what was done could not be told: standard output: ENOSPC\n$/);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('costs no help its status', (t) => {
    const { status, stderr } = shell(aMachine(t), '"$@" > /dev/full', 'install', '--help');
    assert.equal(status, 0);
    assert.match(stderr, /^what was done .*\n$/);
  });
});

test('a full standard error with a warning is one line on standard output', (t) => {
  const { machine, args } = installing(t);
  machine.put('EFI/BOOT/BOOTX64.EFI', aKernel());
  const { status, stdout } = shell(machine, '"$@" 2> /dev/full', ...args);
  const { status: expected } = shell(machine, '"$@"', ...args);
  assert.equal(status, expected);
  assert.match(stdout, /^a warning could not be told: standard error: ENOSPC$/m);
  assert.deepEqual(machine.installed(), [1]);
});

describe('a closed pipe is silence:', () => {
  for (const args of [['install', '--help'], ['--help'], ['list', '--help']]) {
    test(`espalier ${args.join(' ')} | head`, (t) => {
      const line = '"$@" | true; exit $PIPESTATUS';
      const { status, stderr } = shell(aMachine(t), line, ...args);
      assert.equal(stderr, '');
      assert.equal(status, 0);
    });
  }

  test('of a run that does something', (t) => {
    const { machine, args } = installing(t);
    const { status, stderr } = shell(machine, '"$@" | true; exit $PIPESTATUS', ...args);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('of standard error too', (t) => {
    const { machine, args } = installing(t);
    machine.put('EFI/BOOT/BOOTX64.EFI', aKernel());
    const { status } = shell(machine, '"$@" 2>&-', ...args);
    const { status: expected } = shell(machine, '"$@"', ...args);
    assert.equal(status, expected);
  });
});
