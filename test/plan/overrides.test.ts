/** EFI variables by which another entry boots, judged as systemd-boot reads them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { menuAfter, overrides, startsAnother } from '../../src/plan/overrides.ts';
import { anInventory, aWanted } from './a-plan.ts';

const GENERATIONS = [1, 2, 3].map((number) => aWanted({ number }));
const [one = '', two = '', three = ''] = GENERATIONS.map(({ entries: [entry] }) => entry?.id ?? '');
const { entries: MENU } = anInventory({ has: GENERATIONS });

function withDefault(value: string) {
  return {
    secureBoot: undefined,
    trustsCertificate: undefined,
    forbids: undefined,
    bootOptions: undefined,
    variables: { LoaderEntryDefault: value },
  };
}

test('a variable that names another entry is told with the command that clears it', () => {
  const [warning = ''] = overrides(withDefault('windows.conf'), three, MENU);
  assert.match(warning, /bootctl set-default ''/);
  assert.deepEqual(overrides(withDefault(three), three, MENU), []);
});

describe('a pattern', () => {
  for (const pattern of ['*', 'generation-*', 'generation-?.conf']) {
    test(`${pattern} starts the first of the menu that matches, whatever was installed`, () => {
      assert.deepEqual(overrides(withDefault(pattern), three, MENU), []);
      assert.equal(overrides(withDefault(pattern), two, MENU).length, 1);
      assert.equal(overrides(withDefault(pattern), one, MENU).length, 1);
    });
  }

  test('that matches one entry alone starts that one', () => {
    assert.equal(startsAnother(one.replace('.conf', '*.conf'), one, MENU), false);
    assert.equal(startsAnother(one.replace('.conf', '*.conf'), three, MENU), true);
    // systemd-boot 254 and older: the counter is a part of the ID.
    assert.equal(startsAnother(one.replace('.conf', '+3.conf'), one, MENU), false);
  });

  test('passes over an entry without tries left, which stands last', () => {
    const spent = MENU.map((entry) =>
      entry.id === three ? { ...entry, counter: { triesLeft: 0, triesDone: 3 } } : entry,
    );
    assert.equal(startsAnother('*', three, spent), true);
    assert.equal(startsAnother('*', two, spent), false);
  });

  test('may start what another system put there', () => {
    const other = { id: 'arch.conf', sortKey: 'arch', version: '1' };
    assert.equal(startsAnother('*', three, [...MENU, other]), true);
    assert.equal(startsAnother('generation-*', three, [...MENU, other]), false);
  });
});

test('the menu after a plan has what comes and what others have, and lacks what goes', () => {
  const [first, ...later] = GENERATIONS;
  assert.ok(first);
  const { entries } = anInventory({ has: [first] });
  const [{ name: _, ...file } = assert.fail()] = entries;
  const windows = { ...file, id: 'windows.conf' };
  const planned = { phases: [], default: three, entries: [two, three], leftOut: [] };
  const space = { total: 0, free: 0, reserve: 0, peak: 0, after: 0 };
  const found = { entries: [...entries, windows] };
  const menu = menuAfter({ ...planned, space }, { musts: later, wishes: [first] }, found);
  assert.deepEqual(menu.map(({ id }) => id).sort(), [two, three, 'windows.conf'].sort());
});
