/** A bar divides its columns as the amounts are divided. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plain } from '../../src/process/styled-text.ts';
import { bar } from '../../src/terminal/bar.ts';

const GLYPHS = ['█', '▓', '▒', '░'];
const drawn = (amounts: readonly number[], columns: number) =>
  plain(
    bar(
      amounts.map((amount, index) => ({ amount, glyph: GLYPHS[index] ?? '?' })),
      columns,
    ),
  );

test('a bar is as long as it should be, what is not nothing is seen, and nothing is not', () => {
  const amounts = fc.array(fc.nat({ max: 2 ** 40 }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(amounts, fc.integer({ min: 8, max: 200 }), (all, columns) => {
      const text = drawn(all, columns);
      assert.equal(text.length, all.some((amount) => amount > 0) ? columns : 0);
      for (const [index, amount] of all.entries()) {
        assert.equal(text.includes(GLYPHS[index] ?? '?'), amount > 0);
      }
    }),
  );
});

test('equal amounts have equal shares', () => {
  assert.equal(drawn([1, 1, 1, 1], 8), '██▓▓▒▒░░');
});
