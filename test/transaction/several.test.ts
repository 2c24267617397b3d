/** Work on several files at once: in order, never too many, and over when its failure is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { several } from '../../src/transaction/several.ts';

test('items are begun in order, and no more at once than may be', async () => {
  const begun: number[] = [];
  let under = 0;
  let most = 0;
  await several([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    begun.push(item);
    most = Math.max(most, ++under);
    await setImmediate();
    under--;
  });
  assert.deepEqual(begun, [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(most, 3);
});

test('after a failure nothing more is begun, and what was begun is over when it is told', async () => {
  const ended: number[] = [];
  const work = async (item: number) => {
    if (item === 2) throw new Error('the second');
    await setImmediate();
    ended.push(item);
  };
  await assert.rejects(several([1, 2, 3, 4, 5], 2, work), /the second/);
  assert.deepEqual(ended, [1]);
});

test('what fails before it waits fails alike', async () => {
  const fails = (): Promise<void> => {
    throw new Error('at once');
  };
  await assert.rejects(several([1, 2], 2, fails), /at once/);
});
