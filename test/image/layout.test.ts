import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { backupSize } from '../../src/gpt/format-table.ts';
import { FIRST, GRAIN, layOut, type Wish } from '../../src/image/layout.ts';

const MIB = 1024 * 1024;

function wish(
  name: string,
  min: number,
  more: Partial<{ max: number; weight: number }> = {},
): Wish {
  return {
    ...{ name, need: 0, size: { min, weight: 1000, ...more } },
    padding: { min: 0, weight: 0 },
  };
}

/** Of systemd-repart 257: definitions with bounds, weights and paddings. */
const SIX: readonly Wish[] = [
  wish('esp', 33 * MIB, { max: 100 * MIB }),
  wish('root', 32 * MIB, { weight: 2000 }),
  { ...wish('home', 32 * MIB), padding: { min: MIB, weight: 0 } },
  wish('swap', 10 * MIB, { max: 64 * MIB }),
  { ...wish('x1', 10 * MIB, { weight: 500 }), padding: { min: 5000, weight: 100 } },
  wish('x2', 10 * MIB),
];

/** What it made of them: offset, size and padding by partition. */
const MADE: readonly (readonly [number | 'auto', readonly (readonly number[])[]])[] = [
  [
    'auto',
    [
      [1048576, 34603008, 0],
      [35651584, 33554432, 0],
      [69206016, 33554432, 1048576],
      [103809024, 10485760, 0],
      [114294784, 10485760, 4096],
      [124784640, 10485760, 0],
    ],
  ],
  [
    1024 * MIB,
    [
      [1048576, 104857600, 0],
      [105906176, 391151616, 0],
      [497057792, 195575808, 1048576],
      [693682176, 67108864, 0],
      [760791040, 97787904, 19558400],
      [878137344, 195584000, 0],
    ],
  ],
  [
    2_000_000_001,
    [
      [1048576, 104857600, 0],
      [105906176, 793874432, 0],
      [899780608, 396939264, 1048576],
      [1297768448, 67108864, 0],
      [1364877312, 198467584, 39694336],
      [1603039232, 396943360, 0],
    ],
  ],
];

describe('the layout of an image', () => {
  for (const [size, rows] of MADE) {
    test(`of ${size} bytes is that of systemd-repart`, () => {
      assert.deepEqual(
        layOut(SIX, size, 512).places.map((place) => [place.offset, place.size, place.padding]),
        rows,
      );
    });
  }

  test('has no overlap, begins at whole grains and leaves room for the backup table', () => {
    const extent = fc.record(
      {
        min: fc.nat(64 * MIB),
        max: fc.option(fc.nat(256 * MIB), { nil: undefined }),
        weight: fc.integer({ min: 0, max: 1_000_000 }),
      },
      { noNullPrototype: true },
    );
    const wishes = fc.array(
      fc.record({ name: fc.constant('p'), need: fc.nat(32 * MIB), size: extent, padding: extent }),
      { minLength: 1, maxLength: 8 },
    );
    const spare = fc.option(fc.nat(4096 * MIB), { nil: undefined });
    fc.assert(
      fc.property(wishes, spare, fc.constantFrom(512, 4096), (given, more, sectorSize) => {
        const smallest = layOut(given, 'auto', sectorSize);
        const { size, places } =
          more === undefined ? smallest : layOut(given, smallest.size + more, sectorSize);
        let next = FIRST;
        for (const [index, place] of places.entries()) {
          assert.equal(place.offset, next);
          assert.ok(place.offset % GRAIN === 0 && place.size % GRAIN === 0);
          assert.ok(place.size >= (given[index]?.need ?? 0));
          next += place.size + place.padding;
        }
        assert.ok(next <= size - backupSize(sectorSize));
        assert.throws(() => layOut(given, smallest.size - GRAIN, sectorSize), {
          code: 'IMAGE_FULL',
        });
      }),
    );
  });
});
