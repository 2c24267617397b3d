/** A directory for one test, and our own verbs run in it as a person would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { processContext } from '../../src/command/context.ts';
import { run } from '../../src/command/program.ts';

/** Makes a directory that is gone after the test, and returns what makes paths in it. */
export function aDirectory(t: TestContext): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-verity-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return (name) => join(directory, name);
}

/** Runs `espalier verity …` in this process; throws what main.ts would print. */
export async function verity(
  ...parameters: readonly string[]
): Promise<{ readonly status: number; readonly text: string }> {
  const lines: string[] = [];
  const context = {
    ...processContext(new URL('../support/hash-worker.ts', import.meta.url)),
    print: (text: string) => void lines.push(text),
  };
  const status = await run(['verity', ...parameters], '0', context);
  return { status, text: lines.join('\n') };
}
