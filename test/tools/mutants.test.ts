/** Mutants are told by name when they are out of date, and killed by no other test than the one named. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { LISTS } from '../../tools/mutants/lists.ts';
import { changed, fewOf, type Mutant, roomOf } from '../../tools/mutants/mutant.ts';
import { parseEndings } from '../../tools/mutants/titles.ts';
import { ROOT } from '../../tools/mutants/tree.ts';
import { faultOf, survivalOf } from '../../tools/mutants/trial.ts';

const mutant: Mutant = {
  id: 'plan/x',
  file: 'src/plan/x.ts',
  find: 'a > b',
  replace: 'a >= b',
  killedBy: { file: 'test/plan/x.test.ts', title: /is greater/ },
  why: 'It would be wrong.',
};
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('the mutants of this repository', () => {
  const all = LISTS.flat();

  test('are at least sixty, each with a name of its own', () => {
    assert.ok(all.length >= 60, `${all.length}`);
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  });

  for (const each of all) {
    test(`${each.id} changes text that stands once in its file, and its killer is there`, () => {
      assert.notEqual(changed(read(each.file), each), read(each.file));
      assert.ok(read(each.killedBy.file).length > 0);
      assert.match(each.why, /^\S.*\.$/);
    });
  }
});

describe('a mutant', () => {
  test('changes one place, and what replaces it is taken as it is', () => {
    assert.equal(changed('if (a > b) x;', mutant), 'if (a >= b) x;');
    assert.equal(changed('a > b', { ...mutant, replace: '$&' }), '$&');
  });

  test('whose text is gone, or there twice, is told by its name', () => {
    for (const text of ['a < b', 'a > b && a > b']) {
      assert.throws(() => changed(text, mutant), /^RangeError: plan\/x: src\/plan\/x\.ts has/);
    }
    assert.throws(() => changed('a > b', { ...mutant, replace: mutant.find }), /changes nothing/);
  });

  test('is of the room of its file', () => {
    assert.equal(roomOf(mutant), 'plan');
  });

  test('is among the few when it is the first of its list', () => {
    assert.deepEqual(fewOf([[mutant, { ...mutant, id: 'plan/y' }], []]), [mutant]);
  });
});

describe('the named test', () => {
  const passed = { title: 'a number is greater', ending: 'passed' } as const;
  const failed = { ...passed, ending: 'failed' } as const;
  const other = { title: 'another test', ending: 'failed' } as const;

  test('has to be there once, and to pass without the change', () => {
    assert.equal(faultOf(/is greater/, [passed, other]), undefined);
    assert.match(faultOf(/is less/, [passed]) ?? '', /^0 tests have the title/);
    assert.match(faultOf(/is greater/, [passed, passed]) ?? '', /^2 tests have the title/);
    assert.match(faultOf(/is greater/, [failed]) ?? '', /failed without the change/);
    const skipped = { ...passed, ending: 'skipped' } as const;
    assert.match(faultOf(/is greater/, [skipped]) ?? '', /skipped without the change/);
  });

  test('kills by failing, and no other test does it in its place', () => {
    assert.equal(survivalOf(/is greater/, [failed, other]), undefined);
    assert.equal(survivalOf(/is greater/, [passed]), 'no test failed');
    assert.equal(survivalOf(/is greater/, []), 'no test failed');
    assert.match(survivalOf(/is greater/, [passed, other]) ?? '', /other tests failed: "another/);
  });
});

test('endings are found among what tests print', () => {
  const line = 'test-ending {"title":"a","ending":"passed"}';
  assert.deepEqual(parseEndings(`some words\n${line}\n{"title":"b"}\n`), [
    { title: 'a', ending: 'passed' },
  ]);
});
