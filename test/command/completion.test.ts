/** What a shell is offered, and that shells take it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidatesFor } from '../../src/command/candidates.ts';
import { VERBS } from '../../src/command/verbs.ts';
import { aMachine } from './a-machine.ts';

/** The words that are offered, or what the shell is to find. */
function offered(...words: readonly string[]): readonly string[] | string {
  const found = candidatesFor(VERBS, words);
  return found.kind === 'words' ? found.words.map(({ word }) => word) : found.kind;
}

describe('completion', () => {
  test('offers verbs, and behind the first word of two the second', () => {
    assert.deepEqual(offered('un'), ['unpin', 'units']);
    assert.deepEqual(offered('uki', ''), ['build', 'inspect', 'verify']);
    assert.deepEqual(offered('nothing', ''), []);
  });

  test('offers the options of a verb, its own, and those of all', () => {
    assert.deepEqual(offered('pin', '--j'), ['--json']);
    assert.ok(offered('install', '--').includes('--certificate'));
    assert.ok(!offered('pin', '--').includes('--certificate'));
  });

  test('offers values where they are known, behind a space and behind a sign', () => {
    assert.deepEqual(offered('install', '--format', 't'), ['type1', 'thin']);
    assert.deepEqual(offered('install', '--format=t'), ['--format=type1', '--format=thin']);
    assert.deepEqual(offered('install', '--limit', ''), []);
  });

  test('leaves files and directories to the shell', () => {
    assert.equal(offered('install', '--esp', ''), 'directories');
    assert.equal(offered('install', '--certificate', '/etc/x'), 'files');
    assert.equal(offered('uki', 'inspect', ''), 'files');
    assert.equal(offered('pin', ''), 'generations');
  });

  test('every prefix of every verb, option and example is answered', () => {
    for (const { name, example } of VERBS) {
      const words = [...name.split(' '), ...example.split(' ').slice(1)];
      for (let length = 0; length <= words.length; length++) offered(...words.slice(0, length), '');
    }
  });

  test('names generations that are there, and none when the settings are wrong', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const words = ['completion', 'words', '--', 'pin', ''];
    const environment = { ESPALIER_PROFILES: machine.profiles };
    const { output } = await machine.runWith({ environment }, ...words);
    assert.deepEqual(output.split('\n').sort(), ['1', '2']);
    const wrong = await machine.runWith({ environment: { ESPALIER_LIMIT: 'many' } }, ...words);
    assert.deepEqual([wrong.status, wrong.output], [0, '']);
  });
});
