/** The judge knows nothing of what it judges. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';

const repository = resolve(import.meta.dirname, '../..');

/** Returns every file that takes part when one runs, types aside. */
function imported(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const statements = /^(?:import\s+(?!type\s)|export\s*[{*])[^;'"]*?from\s+['"](\.[^'"]+)['"]/gm;
  for (const [, from = ''] of readFileSync(file, 'utf8').matchAll(statements)) {
    imported(resolve(dirname(file), from), found);
  }
  return found;
}

const isOfInstaller = (file: string) => relative(repository, file).startsWith('src/');

test('what makes the worlds runs the installer: so that the search is seen to find it', () => {
  assert.ok([...imported(resolve(import.meta.dirname, 'world.ts'))].some(isOfInstaller));
});

const judges = [
  'judge',
  'truth',
  'tree',
  'fat-image',
  'boot-menu',
  'fsck',
  'replay',
  'write-log',
  'boots',
  'lies',
];

for (const judge of judges) {
  test(`${judge}.ts shares nothing with the installer`, () => {
    const files = [...imported(resolve(import.meta.dirname, `${judge}.ts`))];
    assert.deepEqual(files.filter(isOfInstaller), []);
  });
}
