/**
 * `npm test`: every check of the project in one run. `npm test -- quick` leaves out the tests that
 * need real parts, firmware or patience: their files are named `.slow.test.ts`.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run as runTests } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
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

/** Started first, in this order: what is long and starts last would leave a core without work. */
const longest: readonly string[] = [
  'test/crash/lab.slow.test.ts',
  'test/boot/upgrade.slow.test.ts',
  'test/units/guest.slow.test.ts',
  'test/boot/counting.slow.test.ts',
  'test/boot/xbootldr.slow.test.ts',
  'test/hostile/crowds.slow.test.ts',
  'test/boot/verity.slow.test.ts',
  'test/hostile/cross-linked.slow.test.ts',
  'test/fault/strace.slow.test.ts',
];

/**
 * Returns the files to run in the order in which they are started. A slow one has a process of its own;
 * the quick ones share a few at the end, where they fill the gaps: a start costs more than most of them.
 */
function testFiles(folder: string): string[] {
  const all = globSync('test/**/*.test.ts', { cwd: root }).sort();
  const unknown = longest.filter((file) => !all.includes(file));
  if (unknown.length > 0) throw new Error(`expected test files, got none at ${unknown.join(', ')}`);
  const isSlow = (file: string): boolean => file.endsWith('.slow.test.ts');
  const [slow, rest] = [all.filter(isSlow), all.filter((file) => !isSlow(file))];
  const groups = Object.values(Object.groupBy(rest, (file) => rest.indexOf(file) % GROUPS));
  const shared = groups.flatMap((files = [], index) => {
    const group = join(folder, `quick-${index}.test.ts`);
    const url = (file: string): string => JSON.stringify(pathToFileURL(join(root, file)).href);
    writeFileSync(group, files.map((file) => `import ${url(file)};\n`).join(''));
    return group;
  });
  return quick ? shared : [...new Set([...longest, ...slow]), ...shared];
}

const GROUPS = 8;

/** One process more than there are cores, for some wait: for a guest's clock, a disk, another process. */
const PROCESSES = availableParallelism() + 1;

/** Runs every test, and returns whether all passed. */
async function runAllTests(): Promise<boolean> {
  const events = runTests({ files: testFiles(folder), concurrency: PROCESSES, cwd: root });
  let passed = false;
  events.on('test:summary', ({ file, success }) => {
    if (file === undefined) passed = success;
  });
  for await (const text of events.compose(spec)) process.stdout.write(text);
  return passed;
}

async function timed(name: string, work: () => boolean | Promise<boolean>): Promise<boolean> {
  const start = performance.now();
  const passed = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${passed ? 'ok' : 'FAILED'}  ${name}  (${seconds} s)`);
  return passed;
}

// What V8 compiles for one process serves the next: thousands of them load the same sources.
const folder = mkdtempSync(join(tmpdir(), 'espalier-tests-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.env['NODE_COMPILE_CACHE'] = join(folder, 'compiled');

const failed: string[] = [];
for (const { name, command } of checks) {
  if (!(await timed(name, () => run(command)))) failed.push(name);
}
await bundle();
// What cannot be fetched is named by each test that is skipped for want of it, and counted below.
if (!quick) await timed('real parts', () => run([process.execPath, 'test/lab/fetch.ts']));

if (!(await timed('tests', runAllTests))) failed.push('tests');
if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;
