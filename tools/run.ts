/**
 * `npm test`: every check of the project in one run. `npm test -- quick` leaves out the tests that
 * need real parts, firmware or patience: their files are named `.slow.test.ts`.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { bundle } from './bundle.ts';

const root = resolve(import.meta.dirname, '..');
const quick = process.argv.includes('quick');

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: 'format and lint', command: ['biome', 'ci', '.'] },
  { name: 'types', command: ['tsc', '--project', '.'] },
  { name: 'dead code', command: ['knip'] },
];

/** Runs a command with the pinned tools in reach, and returns whether it succeeded. */
function run(command: readonly string[]): boolean {
  const [name = '', ...parameters] = command;
  const bin = resolve(root, 'node_modules/.bin');
  const { status, error } = spawnSync(name, parameters, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
  });
  if (error) console.error(`${name}: ${error.message}`);
  return status === 0;
}

function timed(name: string, work: () => boolean): boolean {
  const start = performance.now();
  const passed = work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${passed ? 'ok' : 'FAILED'}  ${name}  (${seconds} s)`);
  return passed;
}

const failed = checks.filter(({ name, command }) => !timed(name, () => run(command)));
await bundle();
// What cannot be fetched is named by each test that is skipped for want of it, and counted below.
if (!quick) timed('real parts', () => run([process.execPath, 'test/lab/fetch.ts']));

const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter((file) => !quick || !file.endsWith('.slow.test.ts'))
  .sort();
const tests = ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files];
if (!timed('tests', () => run([process.execPath, ...tests]))) {
  failed.push({ name: 'tests', command: [] });
}
if (failed.length > 0) console.error(`failed: ${failed.map(({ name }) => name).join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
