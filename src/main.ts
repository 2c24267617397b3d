#!/usr/bin/env node
/** argv in, exit code out: the only place that prints an error or ends the process. */
import { HASH_WORKER, serveHashWorker } from './disk/hash-files.ts';
import { EspError, EXIT_BUG, explain } from './error.ts';
import { openRaw } from './process/raw-file.ts';
import { unsteered } from './process/styled-text.ts';
import { BLOCK_THREAD, serveBlockThread } from './verity/block-thread.ts';

/** Which of the two executables this is, by the name that it was started under. */
const isLzbt = /(^|[/\\])lzbt[^/\\]*$/.test(process.argv[1] ?? '');
const NAME = isLzbt ? 'lzbt-systemd' : 'espalier';

/** V8 gives new objects no more room than at the start. Crowds and crafted files make much garbage. */
const SMALL_NURSERY = '--semi-space-growth-factor=1';
/** V8 lets garbage pile up to a third of what is in use, and not to several times that. */
const LITTLE_GARBAGE = '--heap-growing-percent=33';
/** V8 does not wake up every eight seconds while nothing happens, to see whether to give memory back. */
const NO_IDLE_WORK = '--memory-reducer-gc-count=0';

/** Flags of V8 by verb. They are the whole process's: nobody else may set one. */
const V8_FLAGS: ReadonlyMap<string, readonly string[]> = new Map([
  ['verify', [SMALL_NURSERY, LITTLE_GARBAGE]],
  ['gc', [SMALL_NURSERY, LITTLE_GARBAGE]],
  ['repair', [SMALL_NURSERY, LITTLE_GARBAGE]],
  ['status', [SMALL_NURSERY, LITTLE_GARBAGE]],
  ['image', [SMALL_NURSERY]],
  ['watch', [SMALL_NURSERY, NO_IDLE_WORK]],
]);

/** Sets flags of V8. Without any, `node:v8` is not loaded: that costs as much as reading an ESP. */
function setV8Flags(flags: readonly string[]): void {
  for (const flag of flags) process.getBuiltinModule('node:v8').setFlagsFromString(flag);
}

/** Prints an error as a person should read it and returns the exit status that stands for it. */
async function fail(error: unknown): Promise<number> {
  if (!(error instanceof EspError)) {
    console.error(`${NAME}: this is a bug:`, error);
    return EXIT_BUG;
  }
  console.error(unsteered(`${NAME}: ${explain(error)} [${error.code}]`));
  if (error.hint) console.error(unsteered(`  hint: ${error.hint}`));
  return isLzbt ? (await import('./command/lzbt.ts')).exitStatus(error) : error.status;
}

async function main(): Promise<number> {
  try {
    setV8Flags(V8_FLAGS.get(process.argv[2] ?? '') ?? []);
    const [{ run }, { processContext }] = await Promise.all([
      isLzbt ? import('./command/lzbt.ts') : import('./command/program.ts'),
      import('./command/process-context.ts'),
    ]);
    const context = processContext(new URL(import.meta.url), () => setV8Flags([SMALL_NURSERY]));
    return await run(process.argv.slice(2), VERSION, context);
  } catch (error) {
    return await fail(error);
  }
}

const VERSION = '0.1.0';

/**
 * The program starts itself once more, on a thread, to hash with two cores; a look at the arguments
 * tells the two apart for less than loading `node:worker_threads` in every run would cost.
 */
async function start(): Promise<void> {
  const last = process.argv.at(-1);
  const isWorker =
    (last === HASH_WORKER && (await serveHashWorker())) ||
    (last === BLOCK_THREAD && (await serveBlockThread((path) => openRaw(path, 'read'))));
  if (!isWorker) process.exitCode = await main();
}

// Nobody waits for it here: a single executable holds a script, which cannot wait.
void start();
