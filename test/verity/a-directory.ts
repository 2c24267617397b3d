/** A directory for one test, and our own verbs run in it as a person would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';

/** Makes a directory that is gone after the test, and returns what makes paths in it. */
export function aDirectory(t: TestContext): (name: string) => string {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-verity-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return (name) => join(directory, name);
}

/** What a verb came to. */
export interface Outcome {
  readonly status: number;
  readonly text: string;
}

/** Runs `espalier verity …` in this process; throws what main.ts would print. */
export function verity(...parameters: readonly string[]): Promise<Outcome> {
  return verityBelow('/', ...parameters);
}

/** Runs `espalier verity …` on the system that is mounted at a directory. */
export async function verityBelow(
  root: string,
  ...parameters: readonly string[]
): Promise<Outcome> {
  const lines: string[] = [];
  const context = {
    ...processContext(new URL('../support/hash-worker.ts', import.meta.url)),
    environment: { ESPALIER_ROOT: root },
    print: (text: Text) => void lines.push(plain(text)),
  };
  const status = await run(['verity', ...parameters], '0', context);
  return { status, text: lines.join('\n') };
}
