#!/usr/bin/env node
/** argv in, exit code out: the only place that prints an error or ends the process. */
import { isMainThread } from 'node:worker_threads';
import { EspError, EXIT_BUG, explain } from './error.ts';

/** Prints an error as a person should read it and returns the exit status that stands for it. */
function fail(error: unknown): number {
  if (!(error instanceof EspError)) {
    console.error('espalier: this is a bug:', error);
    return EXIT_BUG;
  }
  console.error(`espalier: ${explain(error)} [${error.code}]`);
  if (error.hint) console.error(`  hint: ${error.hint}`);
  return error.status;
}

async function main(): Promise<number> {
  try {
    const [{ run }, { processContext }] = await Promise.all([
      import('./command/program.ts'),
      import('./command/context.ts'),
    ]);
    return await run(process.argv.slice(2), VERSION, processContext(new URL(import.meta.url)));
  } catch (error) {
    return fail(error);
  }
}

const VERSION = '0.1.0';

if (isMainThread) {
  process.exitCode = await main();
} else {
  const { serveHashWorker } = await import('./disk/hash-files.ts');
  await serveHashWorker();
}
