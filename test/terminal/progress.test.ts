/** What whoever waits is told: nothing at first, one line on a terminal, and a line now and then elsewhere. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import stringWidth from 'string-width';
import { openProgress, progressOn } from '../../src/terminal/progress.ts';

const MIB = 1024 * 1024;

/** Progress on a clock that stands still unless it is moved, and everything that it tells. */
function aProgress(t: TestContext, isTerminal: boolean) {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  const told: string[] = [];
  const progress = progressOn(() => ({
    isTerminal,
    columns: 79,
    draw: (line) => told.push(line),
    write: (line) => told.push(`${line}\n`),
    clear: () => told.push('<cleared>'),
  }));
  return { progress, told, wait: (milliseconds: number) => t.mock.timers.tick(milliseconds) };
}

for (const isTerminal of [true, false]) {
  test(`what is done within a second is not told${isTerminal ? ' on a terminal' : ''}`, (t) => {
    const { progress, told, wait } = aProgress(t, isTerminal);
    progress.begin('reading', { bytes: MIB });
    wait(900);
    progress.advance(MIB);
    progress[Symbol.dispose]();
    wait(60_000);
    assert.deepEqual(told, []);
  });
}

test('on a terminal one line says what is at work, files, bytes and the rate, and goes at the end', (t) => {
  const { progress, told, wait } = aProgress(t, true);
  progress.begin('/boot: put', { bytes: 40 * MIB, files: 4 });
  wait(500);
  progress.advance(10 * MIB, 1);
  wait(500);
  progress.advance(10 * MIB, 1);
  wait(1000);
  assert.equal(told[0], '/boot: put: 1 of 4 files, 25 %, 10.0 MiB of 40.0 MiB, 10.0 MiB/s');
  assert.equal(told.at(-1), '/boot: put: 2 of 4 files, 50 %, 20.0 MiB of 40.0 MiB, 10.0 MiB/s');
  progress.begin('/boot: publish');
  wait(200);
  assert.equal(told.at(-1), '/boot: publish');
  progress[Symbol.dispose]();
  assert.equal(told.at(-1), '<cleared>');
  const count = told.length;
  progress.advance(MIB);
  wait(60_000);
  assert.equal(told.length, count);
});

test('a computation that lets no timer through is told all the same', (t) => {
  const { progress, told } = aProgress(t, true);
  progress.begin('hashing', { bytes: 4 * MIB });
  t.mock.timers.setTime(2000);
  progress.advance(2 * MIB);
  assert.deepEqual(told, ['hashing: 50 %, 2.0 MiB of 4.0 MiB, 1.0 MiB/s']);
});

test('elsewhere there is a line every ten seconds', (t) => {
  const { progress, told, wait } = aProgress(t, false);
  progress.begin('hashing', { bytes: 64 * MIB });
  for (let second = 0; second < 25; second++) {
    wait(1000);
    progress.advance(MIB);
  }
  assert.equal(told.length, 2);
  assert.match(told[0] ?? '', /^hashing: 15 %, 10\.0 MiB of 64\.0 MiB, \S+ [KM]iB\/s\n$/);
});

test('more than there was to do is not told', (t) => {
  const { progress, told, wait } = aProgress(t, true);
  progress.begin('hashing', { bytes: MIB, files: 1 });
  progress.advance(2 * MIB, 1);
  wait(2000);
  assert.equal(told.at(-1), 'hashing: 100 %, 1.0 MiB of 1.0 MiB, 512.0 KiB/s');
});

test('a long name gives way to how much is done, and the line fits the terminal', (t) => {
  const { progress, told, wait } = aProgress(t, true);
  progress.begin(`/srv/${'各'.repeat(60)}: put`, { bytes: 4 * MIB });
  progress.advance(MIB);
  wait(1000);
  assert.match(told[0] ?? '', /^\/srv\/各+: 25 %, 1\.0 MiB of 4\.0 MiB, 1\.0 MiB\/s$/);
  assert.ok(stringWidth(told[0] ?? '') <= 79);
});

test('for a program, and with --quiet, nothing is told', (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'] });
  for (const asked of [
    { json: true, verbosity: 0 },
    { json: false, verbosity: -1 },
  ]) {
    using progress = openProgress(asked, {});
    progress.begin('hashing');
    t.mock.timers.tick(60_000);
  }
});
