/** What one hostile generation does to the others: nothing. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { processContext } from '../../src/command/process-context.ts';
import { secretsRunner } from '../../src/survey/initrd-secrets-runner.ts';
import { aMachine, type Machine, type Ran } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { usedBy } from '../support/used-by.ts';
import { BROKEN, type Forgery, PROGRAMS, STRANGE } from './corpus-generations.ts';
import { aProgram } from './measured.ts';

const measure = aProgram();

/** Programs that append secrets get no more than this: seconds, bytes. */
const BOUNDS = { timeout: 2, growth: 2 ** 22 };

/** A machine whose second generation of three is this one. */
function beside(t: TestContext, shape: GenerationShape): Machine {
  const machine = aMachine(t, { generations: [{}] });
  machine.generations([{}, { tag: 'hostile', ...shape }, { tag: 'current' }]);
  return machine;
}

function forged(t: TestContext, forge: Forgery): Machine {
  const machine = aMachine(t, { generations: [{}] });
  const document = JSON.parse(fs.readFileSync(join(machine.toplevel(1), 'boot.json'), 'utf8'));
  const text = forge(document, machine);
  const bootJson = typeof text === 'string' ? text : JSON.stringify(text);
  machine.generations([{}, { tag: 'hostile', bootJson }, { tag: 'current' }]);
  return machine;
}

function install(machine: Machine, ...args: readonly string[]): Promise<Ran> {
  const runSecrets = secretsRunner(processContext(new URL(import.meta.url)), BOUNDS);
  const all = [...machine.arguments(), '--allow-unsigned', '--quiet', '--json', ...args];
  return machine.runWith({ runSecrets }, 'install', ...all);
}

const warningsOf = ({ output }: Ran): string[] => JSON.parse(output).warnings;

/** Nothing is left of a run: no private copy, no process that was given a path of this machine. */
function requireClean(machine: Machine): void {
  const left = fs.readdirSync(machine.root).filter((name) => name.startsWith('espalier-secrets'));
  assert.deepEqual(left, []);
  assert.deepEqual(machine.paths(/\.tmp$/), []);
  const processes = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (const process_ of processes) {
    let command = '';
    try {
      command = fs.readFileSync(`/proc/${process_}/cmdline`, 'utf8');
    } catch {
      // It ended while it was looked at.
    }
    assert.ok(!command.includes(machine.root), command.replaceAll('\0', ' '));
  }
}

/** The hostile generation is set apart with one line of reason, and the others are installed. */
async function requireSetApart(machine: Machine): Promise<void> {
  const ran = await install(machine);
  assert.equal(ran.status, 5, String(ran.error));
  assert.deepEqual(machine.installed(), [1, 3]);
  assert.equal(machine.next(), 3);
  const warnings = warningsOf(ran);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^generation 2 is broken and left as it is: [^\n]{1,4000}$/);
  requireClean(machine);
}

/** As the one that is to boot next it is refused, and nothing is touched. */
async function requireRefused(machine: Machine): Promise<void> {
  const before = machine.tree();
  const { status, error } = await install(machine, machine.link(2));
  assert.equal(status, 1);
  assert.equal(error?.code, 'TARGET_BROKEN');
  assert.deepEqual(machine.tree(), before);
  requireClean(machine);
}

for (const [name, forge] of Object.entries(STRANGE)) {
  for (const format of ['uki', 'type1']) {
    test(`${name} is installed like any other, as ${format}`, async (t) => {
      const machine = forged(t, forge);
      const ran = await install(machine, machine.link(2), '--format', format);
      assert.equal(ran.status, 0, String(ran.error));
      assert.deepEqual(warningsOf(ran), []);
      assert.deepEqual(machine.installed(), [1, 2, 3]);
      assert.equal(machine.next(), 2);
      for (const path of Object.keys(machine.tree())) {
        assert.match(path, /^[A-Za-z0-9._+/-]{1,200}$/, 'no text of people is in a file’s name');
      }
      const again = await install(machine, machine.link(2), '--format', format);
      assert.match(again.output, /"changes": \[\]/);
      assert.equal((await machine.run('verify', '--deep')).status, 0);
      assert.doesNotMatch((await machine.run('list')).output, /[^\P{Cc}\n]|\p{Cf}/u);
    });
  }
}

for (const [name, forge] of Object.entries(BROKEN)) {
  test(`${name} is set apart, and refused as what boots next`, async (t) => {
    const machine = forged(t, forge);
    await requireSetApart(machine);
    await requireRefused(machine);
  });
}

for (const [name, secrets] of Object.entries(PROGRAMS)) {
  test(`a program for secrets that ${name} leaves nothing behind`, async (t) => {
    const machine = beside(t, { secrets });
    await requireSetApart(machine);
    await requireRefused(machine);
  });
}

test('a program for secrets that leaves children and succeeds has them ended', async (t) => {
  const machine = beside(t, { secrets: '(sleep 600; : "$1") & printf x >> "$1"' });
  assert.equal((await install(machine)).status, 0);
  assert.deepEqual(machine.installed(), [1, 2, 3]);
  requireClean(machine);
});

test('a program for secrets that does nothing is done', async (t) => {
  const machine = beside(t, { secrets: 'exit 0' });
  assert.equal((await install(machine)).status, 0);
  assert.deepEqual(machine.installed(), [1, 2, 3]);
});

for (const target of ['/nonexistent', '/dev/null', '/etc', 'system-2-link']) {
  test(`a generation that leads to ${target} is set apart`, async (t) => {
    await requireSetApart(beside(t, { toplevel: target }));
  });
}

test('profiles and links whose names steer a terminal are told on one line', (t) => {
  const machine = aMachine(t, { generations: [{}] });
  const directory = join(machine.profiles, 'system-profiles');
  fs.mkdirSync(directory);
  for (const name of ['a\u001b[2J\nb', '\u202e', '..', '-rf', 'x'.repeat(200)]) {
    fs.symlinkSync('/nonexistent', join(directory, `${name}-7-link`));
  }
  const args = [...machine.arguments(), '--allow-unsigned'];
  for (const verb of ['plan', 'install', 'status', 'list', 'verify']) {
    const { status, stdout, stderr } = measure(usedBy([verb, ...args]), machine.environment());
    assert.ok([0, 1, 5].includes(status ?? 70), stderr);
    assert.doesNotMatch(`${stdout}${stderr}`.replaceAll('\n', ' '), /[\p{Cc}\p{Cf}]/u);
    for (const line of stderr.split('\n')) assert.match(line, /^(espalier: \w+: .*)?$/);
  }
  assert.deepEqual(machine.installed(), [1]);
});
