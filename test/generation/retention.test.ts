import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Generation } from '../../src/generation/generation.ts';
import {
  type Retention,
  type RootReason,
  retain,
  superseded,
} from '../../src/generation/retention.ts';
import { aGeneration } from './a-generation.ts';

function generations(count: number, profile?: string): Generation[] {
  return Array.from({ length: count }, (_, index) => aGeneration({ number: index + 1, profile }));
}

/** Roots by number in the system profile, or by the place in another list of generations. */
function rootsAt(
  reasons: Readonly<Record<number, RootReason>>,
  of: readonly Generation[] = generations(20),
): ReadonlyMap<string, RootReason> {
  return new Map(
    Object.entries(reasons).map(([n, why]) => [of[Number(n) - 1]?.toplevel ?? '', why]),
  );
}

function numbers({ musts, wishes, leftOut }: Retention): Record<string, number[]> {
  return {
    musts: musts.map(({ generation }) => generation.number),
    wishes: wishes.map(({ number }) => number),
    leftOut: leftOut.map(({ generation }) => generation.number),
  };
}

test('the newest generations are kept, and the rest is over the limit', () => {
  assert.deepEqual(numbers(retain(generations(5), { limit: 3, roots: new Map() })), {
    musts: [],
    wishes: [5, 4, 3],
    leftOut: [2, 1],
  });
});

test('a limit of 0 keeps all', () => {
  const { wishes, leftOut } = retain(generations(20), { limit: 0, roots: new Map() });
  assert.deepEqual([wishes.length, leftOut.length], [20, 0]);
});

test('a target among the newest takes one of their places', () => {
  const roots = rootsAt({ 5: 'target' });
  assert.deepEqual(numbers(retain(generations(5), { limit: 3, roots })), {
    musts: [5],
    wishes: [4, 3],
    leftOut: [2, 1],
  });
});

test('an old target takes the place of a newer generation', () => {
  const roots = rootsAt({ 1: 'target' });
  assert.deepEqual(numbers(retain(generations(5), { limit: 3, roots })), {
    musts: [1],
    wishes: [5, 4],
    leftOut: [3, 2],
  });
});

test('a limit of 1 keeps the target alone', () => {
  const roots = rootsAt({ 2: 'target' });
  assert.deepEqual(numbers(retain(generations(3), { limit: 1, roots })), {
    musts: [2],
    wishes: [],
    leftOut: [3, 1],
  });
});

test('a root among the newest takes a place, and an older one stays beyond the limit', () => {
  const roots = rootsAt({ 6: 'target', 5: 'booted', 1: 'pinned' });
  const kept = retain(generations(6), { limit: 3, roots });
  assert.deepEqual(numbers(kept), { musts: [6, 5, 1], wishes: [4], leftOut: [3, 2] });
  assert.deepEqual(
    kept.musts.map(({ because }) => because),
    ['target', 'booted', 'pinned'],
  );
});

test('each profile has the limit for itself', () => {
  const work = generations(3, 'work');
  const kept = retain([...generations(3), ...work], {
    limit: 2,
    roots: rootsAt({ 1: 'booted' }, work),
  });
  const name = ({ profile, number }: Generation) => `${profile ?? 'system'} ${number}`;
  assert.deepEqual(
    kept.musts.map(({ generation }) => name(generation)),
    ['work 1'],
  );
  assert.deepEqual(kept.wishes.map(name), ['system 3', 'system 2', 'work 3', 'work 2']);
  assert.deepEqual(
    kept.leftOut.map(({ generation }) => name(generation)),
    ['system 1'],
  );
});

test('every generation of a protected system is protected', () => {
  const toplevel = aGeneration().toplevel;
  const twins = [aGeneration({ number: 2, toplevel }), aGeneration({ number: 9, toplevel })];
  const roots = new Map<string, RootReason>([[toplevel, 'target']]);
  assert.deepEqual(numbers(retain([...twins, aGeneration({ number: 8 })], { limit: 1, roots })), {
    musts: [9, 2],
    wishes: [],
    leftOut: [8],
  });
});

const anyGenerations = fc.uniqueArray(
  fc.record({
    number: fc.integer({ min: 1, max: 30 }),
    profile: fc.constantFrom(undefined, 'a', 'b'),
  }),
  { selector: ({ number, profile }) => `${profile} ${number}`, maxLength: 30 },
);
const anyReason = fc.constantFrom<RootReason>('target', 'current', 'booted', 'pinned');

test('every generation is sorted once, roots are musts, and order of input does not matter', () => {
  const policy = fc.tuple(fc.nat(5), fc.array(fc.tuple(fc.nat(29), anyReason), { maxLength: 4 }));
  fc.assert(
    fc.property(anyGenerations, policy, (shapes, [limit, picks]) => {
      const all = shapes.map(aGeneration);
      const roots = new Map(
        picks.flatMap(([at, why]): [string, RootReason][] => {
          const toplevel = all[at]?.toplevel;
          return toplevel === undefined ? [] : [[toplevel, why]];
        }),
      );
      const kept = retain(all, { limit, roots });
      assert.deepEqual(retain(all.toReversed(), { limit, roots }), kept);
      const sorted = [...kept.musts, ...kept.leftOut].map(({ generation }) => generation);
      assert.deepEqual(new Set([...sorted, ...kept.wishes]), new Set(all));
      assert.equal(kept.musts.length + kept.wishes.length + kept.leftOut.length, all.length);
      assert.deepEqual(
        new Set(kept.musts.map(({ generation }) => generation.toplevel)),
        new Set(roots.keys()),
      );
      for (const profile of [undefined, 'a', 'b']) {
        const wished = kept.wishes.filter((generation) => generation.profile === profile).length;
        assert.ok(limit === 0 || wished <= limit);
      }
    }),
  );
});

describe('generations of one installed kernel', () => {
  const kernel = (number: number, release = '6.1') => ({
    number,
    release,
    toplevel: `/systems/${number}-linux-${release}`,
  });
  const gone = (running: number | undefined, ...numbers: readonly number[]) =>
    superseded(
      numbers.map((number) => kernel(number)),
      running === undefined ? undefined : kernel(running).toplevel,
    ).map(({ number }) => number);

  test('stay until a newer one has booted', () => {
    assert.deepEqual(gone(1, 1, 2), []);
    assert.deepEqual(gone(2, 1, 2), [1]);
  });

  test('between the one that runs and the newest go, because none of them has booted', () => {
    assert.deepEqual(gone(2, 1, 2, 3, 4), [3, 1]);
  });

  test('are two where another kernel runs: nobody knows which of them has booted', () => {
    assert.deepEqual(gone(undefined, 1, 2, 3), [1]);
  });

  test('are no business of another kernel', () => {
    const both = [kernel(1, '6.1'), kernel(2, '6.12')];
    assert.deepEqual(superseded(both, both[1]?.toplevel), []);
  });

  test('that are broken go at once, and the one before them stays', () => {
    const all = [kernel(1), kernel(2), kernel(3)];
    const replaced = superseded(all, undefined, ({ number }) => number === 2);
    assert.deepEqual(replaced, [kernel(2)]);
  });
});
