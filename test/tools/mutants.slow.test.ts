/** The tests bite: a few changes of the source, one of every room, are each killed by the test they name. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LISTS } from '../../tools/mutants/lists.ts';
import { fewOf, type Mutant } from '../../tools/mutants/mutant.ts';
import { copyTree } from '../../tools/mutants/tree.ts';
import { tryAll } from '../../tools/mutants/trial.ts';

const few = fewOf(LISTS);

test('a change in every room is killed by the test that it names', async () => {
  const verdicts = await tryAll(few, () => undefined);
  assert.deepEqual(
    verdicts.filter(({ killed }) => !killed).map(({ mutant, because }) => [mutant.id, because]),
    [],
  );
  assert.equal(verdicts.length, few.length);
});

test('a change that means nothing survives, and so does one whose test is not there', async () => {
  const [first] = few;
  assert.ok(first);
  const harmless: Mutant = { ...first, id: 'harmless', replace: `${first.find} /* no change */` };
  const title = /there is no such promise/;
  const unknown: Mutant = { ...first, id: 'unknown', killedBy: { ...first.killedBy, title } };
  const verdicts = await tryAll([harmless, unknown], () => undefined);
  assert.deepEqual(
    verdicts.map(({ because }) => because),
    ['no test failed', `0 tests have the title ${title}, expected one`],
  );
});

test('a copy of the repository is removed, and holds its files as they were until then', async () => {
  const [mutant] = few;
  assert.ok(mutant);
  let root = '';
  {
    using tree = copyTree();
    root = tree.root;
    await assert.rejects(
      tree.withMutant(mutant, () => Promise.reject(new Error('the work failed'))),
      /the work failed/,
    );
    await tree.withMutant(mutant, async () => undefined);
    assert.ok(existsSync(join(root, mutant.file)));
  }
  assert.equal(existsSync(root), false);
});
