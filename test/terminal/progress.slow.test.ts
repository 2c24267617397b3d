/** The line on a real terminal: it gives way to text, and is gone when the run ends or is ended. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const SRC = join(import.meta.dirname, '../../src');
/** Waits until the line has been drawn, and then does this. */
const after = (what: string) => `
  import { openProgress } from '${SRC}/terminal/progress.ts';
  import { writeError } from '${SRC}/process/standard-output.ts';
  const progress = openProgress({ json: false, verbosity: 0 }, process.env);
  progress.begin('\\u001b[31mhashing', { bytes: 2048 });
  progress.advance(1024);
  setTimeout(() => { ${what} }, 1250);
`;

/** Runs a program on a terminal of its own, by script(1). Returns what came there. */
function onTerminal(program: string, environment: Record<string, string> = {}) {
  const node = ['exec', process.execPath, '--input-type=module', '--eval', '"$PROGRAM"'].join(' ');
  const { stdout, status } = spawnSync('script', ['--quiet', '--return', '-c', node, '/dev/null'], {
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      SHELL: '/bin/sh',
      TERM: 'xterm',
      PROGRAM: program,
      ...environment,
    },
  });
  return { stdout, status };
}

const GONE = '\r\u001b[K';
/** What would steer the terminal is its escape. */
const LINE = `${GONE}\\u001b[31mhashing: 50 %, 1.0 KiB of 2.0 KiB`;

test('the line is drawn, gives way to text, and is gone at the end', () => {
  const tell = `writeError('a warning\\n', () => ({})); progress.advance(0); progress[Symbol.dispose]();`;
  const { stdout, status } = onTerminal(after(tell));
  assert.equal(status, 0, stdout);
  assert.ok(stdout.includes(LINE), JSON.stringify(stdout));
  assert.ok(stdout.includes(`${GONE}a warning\r\n`), JSON.stringify(stdout));
});

test('a signal ends the run as it always does, without the line', () => {
  const stop = `process.kill(process.pid, 'SIGINT'); setTimeout(() => {}, 60_000);`;
  const { stdout, status } = onTerminal(after(stop));
  assert.equal(status, 130, stdout);
  assert.ok(stdout.includes(LINE), JSON.stringify(stdout));
  assert.ok(stdout.endsWith(GONE), JSON.stringify(stdout));
});

test('a terminal that cannot move its cursor gets no such line', () => {
  const { stdout } = onTerminal(after('progress[Symbol.dispose]();'), { TERM: 'dumb' });
  assert.equal(stdout, '');
});
