/** The nearest known word, which hints name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from '../../src/settings/nearest.ts';

const KNOWN = ['install', 'list', 'limit', 'pin', 'unpin', 'private-key'];

test('a word with a letter too few, too many, wrong or swapped means the one without', () => {
  const misspelt = [
    ['instal', 'install'],
    ['installl', 'install'],
    ['inztall', 'install'],
    ['isntall', 'install'],
    ['limt', 'limit'],
    ['private_key', 'private-key'],
    ['privatekey', 'private-key'],
    ['pni', 'pin'],
  ] as const;
  for (const [word, meant] of misspelt) assert.equal(nearest(word, KNOWN), meant, word);
});

test('large and small letters count as the same', () => {
  assert.equal(nearest('LIMIT', KNOWN), 'limit');
});

test('of several near words the nearest is meant', () => {
  assert.equal(nearest('lisk', ['limit', 'risks', 'list']), 'list');
  assert.equal(nearest('unpi', ['pin', 'unpin']), 'unpin');
});

test('a word that is like none means none', () => {
  for (const word of ['frobnicate', 'x', '', 'pan-galactic', 'limits-of-growth']) {
    assert.equal(nearest(word, KNOWN), undefined, word);
  }
  assert.equal(nearest('limit', []), undefined);
});
