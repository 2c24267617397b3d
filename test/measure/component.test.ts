/** Names of variants: lanzaboote's, and one for each entry. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base32, hash } from '../../src/digest.ts';
import { formatEntryName } from '../../src/esp/layout.ts';
import { isVariantName, type NamedEntry, variantNames } from '../../src/measure/component.ts';
import { bounds } from '../property/bounds.ts';

function entry(generation: number, slug?: string, tag = ''): NamedEntry {
  const digest = hash(`${generation} ${slug} ${tag}`);
  const name = {
    kind: 'uki',
    generation,
    digest,
    ...(slug === undefined ? {} : { slug }),
  } as const;
  return { id: formatEntryName('nixos', name), name };
}

test('a generation is called by its number, a specialisation by both', () => {
  const [plain, special] = [entry(12), entry(12, 'gaming')];
  assert.deepEqual(
    [...variantNames([plain, special])].sort(),
    [
      ['12-gaming.pcrlock', special.id],
      ['12.pcrlock', plain.id],
    ].sort(),
  );
});

test('of two entries of one number, one has the plain name and the other its digest behind it', () => {
  const [one, other] = [entry(5, undefined, 'a'), entry(5, undefined, 'b')].sort((a, b) =>
    a.id < b.id ? -1 : 1,
  );
  assert.ok(one && other);
  const expected = [
    ['5.pcrlock', one.id],
    [`5-${base32(other.name.digest)}.pcrlock`, other.id],
  ];
  assert.deepEqual([...variantNames([one, other])], expected);
  assert.deepEqual([...variantNames([other, one])], expected);
});

test('every entry has a name of its own, and one that is known to be ours', () => {
  const some = fc.record({
    generation: fc.nat(3),
    slug: fc.option(fc.constantFrom('a', 'b', '1', 'a-b'), { nil: undefined }),
    tag: fc.constantFrom('x', 'y', 'z'),
  });
  fc.assert(
    fc.property(fc.uniqueArray(some, { selector: (one) => JSON.stringify(one) }), (shapes) => {
      const entries = shapes.map(({ generation, slug, tag }) => entry(generation, slug, tag));
      const names = variantNames(entries);
      assert.deepEqual([...names.values()].sort(), entries.map(({ id }) => id).sort());
      for (const name of names.keys()) assert.ok(isVariantName(name), name);
    }),
    bounds(200),
  );
});
