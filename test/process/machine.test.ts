/** The machine that the program runs on: child programs end as they are bounded, and answer as they are asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeMachine } from '../../src/process/node-machine.ts';

const machine = nodeMachine(new URL(import.meta.url));
const environment = { PATH: process.env['PATH'] };
const shell = (script: string) => ({
  argv: ['sh', '-c', script],
  directory: '/',
  environment,
});

test('a program that ends well is no complaint, and one that does not is, with its last words', async () => {
  assert.equal(await machine.run(shell('exit 0'), { timeout: 60 }), undefined);
  const complaint = await machine.run(shell('echo last words >&2; exit 3'), { timeout: 60 });
  assert.equal(complaint?.what, 'ended with status 3: last words');
});

test('a program is stopped when it does what it may not', async () => {
  const watch = () => 'it sleeps';
  const complaint = await machine.run(shell('sleep 600'), { timeout: 600, watch });
  assert.equal(complaint?.what, 'was stopped: it sleeps');
});

test('a program that is not there is a complaint of a run, and an error of an answer', async () => {
  const argv = ['/nonexistent/program'];
  const complaint = await machine.run({ argv, directory: '/', environment }, { timeout: 60 });
  assert.equal(
    complaint?.what,
    'cannot be run: there is no such program, or not the interpreter that it names',
  );
  const { status, error } = machine.ask({ argv, timeout: 60_000, limit: 10, messages: 'kept' });
  assert.equal(status, null);
  assert.ok(error);
});

test('a program answers what it was given, and says what was wrong', () => {
  const input = new TextEncoder().encode('question');
  const ask = (script: string) =>
    machine.ask({
      argv: ['sh', '-c', script],
      input,
      timeout: 60_000,
      limit: 100,
      messages: 'kept',
    });
  const { status, stdout } = ask('cat');
  assert.deepEqual([status, new TextDecoder().decode(stdout)], [0, 'question']);
  const failed = ask('echo no >&2; exit 4');
  assert.deepEqual([failed.status, failed.messages], [4, ': no']);
});

test('a stream goes through a program, which is found by PATH', async () => {
  const program = machine.findProgram('cat', environment);
  assert.ok(program);
  assert.equal(machine.findProgram('cat', { PATH: '/nonexistent' }), undefined);
  const pieces = ['one ', 'two'].map((text) => new TextEncoder().encode(text));
  let text = '';
  for await (const bytes of machine.filter([program], environment, pieces)) {
    text += new TextDecoder().decode(bytes);
  }
  assert.equal(text, 'one two');
});
