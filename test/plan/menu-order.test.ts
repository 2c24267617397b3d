/** Which entry systemd-boot takes when nothing is chosen, as far as files tell. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EntryFile } from '../../src/esp/inventory.ts';
import { espPath } from '../../src/esp/layout.ts';
import { compareEntries, isBad, nextOf } from '../../src/plan/menu-order.ts';
import { anInventory } from './a-plan.ts';

const anEntry = (id: string, difference: Partial<EntryFile> = {}): EntryFile => ({
  path: espPath('loader', 'entries', id),
  size: 1,
  id,
  references: [],
  cmdline: '',
  ...difference,
});
const bad = { counter: { triesLeft: 0, triesDone: 3 } };
const fresh = { counter: { triesLeft: 3, triesDone: 0 } };

/** The ID of the entry that boots next of these, with this loader.conf. */
const next = (conf: string, ...entries: readonly EntryFile[]) =>
  nextOf(anInventory({ loaderConf: new TextEncoder().encode(conf), entries }))?.id;

const order = (...entries: readonly EntryFile[]) =>
  entries.toSorted(compareEntries).map(({ id }) => id);

describe('the menu', () => {
  test('an entry whose tries are used up is bad, and comes last; one that may be tried is not', () => {
    assert.deepEqual([isBad(bad), isBad(fresh), isBad({})], [true, false, false]);
    assert.deepEqual(order(anEntry('c.conf', bad), anEntry('b.conf', fresh), anEntry('a.conf')), [
      'b.conf',
      'a.conf',
      'c.conf',
    ]);
  });

  test('entries with a sort key come first, newer versions of one before older ones', () => {
    const keyed = (id: string, version: string) => anEntry(id, { sortKey: 'nixos', version });
    assert.deepEqual(order(anEntry('z.conf'), keyed('a.conf', '9'), keyed('b.conf', '10')), [
      'b.conf',
      'a.conf',
      'z.conf',
    ]);
  });

  test('without a sort key the name decides, as a version', () => {
    assert.deepEqual(order(anEntry('x-9.conf'), anEntry('x-10.conf')), ['x-10.conf', 'x-9.conf']);
  });
});

describe('what boots next', () => {
  const two = [anEntry('a.conf'), anEntry('b.conf')] as const;

  test('is the first of the menu where loader.conf names none, or one that is not there', () => {
    assert.equal(next('timeout 3\n', ...two), 'b.conf');
    assert.equal(next('default c.conf\n', ...two), 'b.conf');
    assert.equal(next('default a.conf\n'), undefined);
  });

  test('is the default, also when it is bad', () => {
    assert.equal(next('default a.conf\n', ...two), 'a.conf');
    assert.equal(next('default a.conf\n', anEntry('a.conf', bad), anEntry('b.conf')), 'a.conf');
  });

  test('what is preferred gives way once it is bad', () => {
    const conf = 'preferred a.conf\ndefault b*\n';
    assert.equal(next(conf, ...two), 'a.conf');
    assert.equal(next(conf, anEntry('a.conf', bad), anEntry('b.conf')), 'b.conf');
  });
});
