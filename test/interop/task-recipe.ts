/** The recipes of docs/tasks.md as a reader would copy them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TASKS = readFileSync(join(import.meta.dirname, '../../docs/tasks.md'), 'utf8');

/** Returns the one block of shell script that mentions all of these. @throws {Error} when there is none, or another */
export function recipe(...mentioned: readonly string[]): string {
  const blocks = [...TASKS.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const found = blocks.filter((text) => mentioned.every((word) => text.includes(word)));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw new Error(
    `docs/tasks.md: expected one recipe with ${mentioned.join(', ')}, got ${found.length}`,
  );
}
