/** What boots next, settled without a disk: who wants it, and what cannot. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EntryFile } from '../../src/esp/inventory.ts';
import { espPath } from '../../src/esp/layout.ts';
import { type NextBootQuestion, nextBoot } from '../../src/plan/next-boot.ts';
import { anInventory, aWanted } from './a-plan.ts';

const GENERATIONS = [1, 2, 3].map((number) => aWanted({ number }));
const [one, two, three] = GENERATIONS.map(({ entries: [entry] }) => entry?.id ?? '');

const SETTINGS: NextBootQuestion['settings'] = {
  'entry-token': 'nixos',
  'boot-counting': 0,
  reserve: 0,
  force: false,
  'loader-fallback': true,
  'require-verity': false,
  'keep-default': false,
  loader: {},
};

/** Generation 3 is wanted; 2 runs; all of them fit. */
function asked(difference: Partial<NextBootQuestion> = {}): NextBootQuestion {
  return {
    default: three ?? '',
    troubles: new Map(),
    musts: GENERATIONS.slice(2),
    wishes: GENERATIONS.slice(0, 2),
    running: '/nix/store/system-2',
    settings: SETTINGS,
    ...difference,
  };
}

/** The ESP has all three; those that are named have no tries left. */
function seen(...bad: readonly (string | undefined)[]) {
  const inventory = anInventory({ has: GENERATIONS });
  const spent = (entry: EntryFile): EntryFile =>
    bad.includes(entry.id) ? { ...entry, counter: { triesLeft: 0, triesDone: 3 } } : entry;
  return {
    inventory: { ...inventory, entries: inventory.entries.map(spent) },
    absent: new Set<never>(),
  };
}

const missing = { text: 'its partition is not there', isUnknown: false };

describe('what boots next', () => {
  test('is what the profiles want, and it must be on the ESP', () => {
    const { id, byProfiles, musts, warnings } = nextBoot(asked(), seen(), false);
    assert.deepEqual([id, byProfiles, warnings], [three, three, []]);
    assert.deepEqual(
      musts.map(({ number }) => number),
      [3],
    );
  });

  test('is the running system when that is bad, and the running system must be there then', () => {
    const { id, byProfiles, musts, warnings } = nextBoot(asked(), seen(three), false);
    assert.deepEqual([id, byProfiles], [two, three]);
    assert.deepEqual(
      musts.map(({ number }) => number),
      [3, 2],
    );
    assert.match(warnings[0] ?? '', /is bad: .* is made the one that boots next/);
  });

  test('is the newest that is good when the running system is bad too', () => {
    assert.equal(nextBoot(asked(), seen(two, three), false).id, one);
  });

  test('stays what it is when every entry is bad', () => {
    const { id, warnings } = nextBoot(asked(), seen(one, two, three), false);
    assert.equal(id, three);
    assert.match(warnings[0] ?? '', /there is no other to boot next/);
  });

  test('is whatever somebody else says, bad or not', () => {
    assert.equal(nextBoot(asked(), seen(three), true).id, three);
  });

  test('is none whose file systems are not here, whoever says what boots next', () => {
    const troubles = new Map([[three ?? '', [missing]]]);
    const { id, byProfiles } = nextBoot(asked({ troubles }), seen(), true);
    assert.deepEqual([id, byProfiles], [two, two]);
  });

  test('is refused when nothing that can be reached is left', () => {
    const troubles = new Map([one, two, three].map((id) => [id ?? '', [missing]] as const));
    assert.throws(() => nextBoot(asked({ troubles }), seen(), false), { code: 'VERITY_ABSENT' });
  });

  test('is refused with --require-verity, even where nobody can tell', () => {
    const settings = { ...SETTINGS, 'require-verity': true };
    const troubles = new Map([[three ?? '', [{ ...missing, isUnknown: true }]]]);
    assert.throws(() => nextBoot(asked({ settings, troubles }), seen(), false), {
      code: 'VERITY_ABSENT',
    });
  });

  test('is none that names a file which others have not put there', () => {
    const initrd = espPath('EFI', 'other', 'initrd');
    const needing = (generation: (typeof GENERATIONS)[number]) => ({
      ...generation,
      entries: generation.entries.map((entry) => ({ ...entry, others: [initrd] })),
    });
    const musts = GENERATIONS.slice(2).map(needing);
    const view = { ...seen(), absent: new Set([initrd]) };
    assert.equal(nextBoot(asked({ musts }), view, false).id, two);
  });
});

describe('a choice that stands', () => {
  const standing = { followed: three ?? '', chosen: one ?? '' };

  test('boots next while the profiles say what they said', () => {
    const { id, byProfiles } = nextBoot(asked({ standing }), seen(), false);
    assert.deepEqual([id, byProfiles], [one, three]);
  });

  test('is over when the profiles say something new', () => {
    assert.equal(nextBoot(asked({ standing, default: two ?? '' }), seen(), false).id, two);
  });

  test('gives way when it is bad, or its file systems are gone', () => {
    assert.equal(nextBoot(asked({ standing }), seen(one), false).id, two);
    const troubles = new Map([[one ?? '', [missing]]]);
    assert.equal(nextBoot(asked({ standing, troubles }), seen(), false).id, three);
  });
});
