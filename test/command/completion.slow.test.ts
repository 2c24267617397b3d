/** The scripts, in the shells that read them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { attempt } from '../lab/run.ts';

const folder = mkdtempSync(join(tmpdir(), 'espalier-completion-'));
after(() => rmSync(folder, { recursive: true }));
const main = resolve(import.meta.dirname, '../../src/main.ts');
const program = join(folder, 'espalier');
writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
chmodSync(program, 0o755);
const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, HOME: folder };

function scriptFor(shell: string): string {
  const file = join(folder, shell === 'zsh' ? '_espalier' : `espalier.${shell}`);
  const { stdout } = spawnSync(program, ['completion', 'script', shell], { encoding: 'utf8', env });
  writeFileSync(file, stdout);
  return file;
}

/** Runs a shell's own words and returns the lines that it prints. */
function shell(name: string, args: readonly string[], input = ''): readonly string[] {
  const { stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', env, input, cwd: folder });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

const missing = (name: string) =>
  attempt(name, ['--version']).status !== 0 && `SKIPPED, needs ${name}`;

describe('the scripts of completion', () => {
  test('bash offers verbs, values and files', { skip: missing('bash') }, () => {
    const file = scriptFor('bash');
    const tab = (...words: string[]) =>
      shell('bash', [
        ...['--norc', '-c'],
        `compopt() { :; }; . ${file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _espalier; printf '%s\n' "\${COMPREPLY[@]}"`,
        ...['bash', 'espalier', ...words],
      ]);
    assert.deepEqual(tab('un'), ['unpin', 'units']);
    assert.deepEqual(tab('install', '--format', '=', 't'), ['type1', 'thin']);
    assert.ok(tab('uki', 'inspect', 'esp').includes('espalier.bash'));
  });

  test('zsh reads its script', { skip: missing('zsh') }, () => {
    assert.deepEqual(shell('zsh', ['-n', scriptFor('zsh')]), []);
    const found = shell('zsh', [
      ...['-f', '-c'],
      `_describe() { print -l -- "\${(@P)2}"; }; _files() { print files; }; words=(espalier uki ''); CURRENT=3; . ${scriptFor('zsh')}`,
    ]);
    assert.deepEqual(
      found.map((line) => line.split(':')[0]),
      ['build', 'inspect', 'verify'],
    );
  });

  test('fish offers verbs with their help', { skip: missing('fish') }, () => {
    const file = scriptFor('fish');
    const found = shell('fish', ['--no-config', '-c', `source ${file}; complete -C'espalier un'`]);
    assert.deepEqual(found.map((line) => line.split('\t')[0]).sort(), ['units', 'unpin']);
    assert.match(found.join('\n'), /unpin\tgive a pinned generation back/);
  });
});
