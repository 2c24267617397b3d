import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocated, nameCost } from '../../src/esp/space.ts';

test('a file takes whole clusters, and an empty one takes none', () => {
  assert.deepEqual(
    [0, 1, 4095, 4096, 4097].map((size) => allocated(size, 4096)),
    [0, 4096, 4096, 4096, 8192],
  );
});

test('a file never takes less than its size, nor a cluster more than it has to', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2 ** 40 }),
      fc.constantFrom(512, 1024, 4096, 32_768),
      (size, cluster) => {
        const taken = allocated(size, cluster);
        assert.ok(taken >= size && taken < size + cluster && taken % cluster === 0);
      },
    ),
  );
});

test('a name takes a slot, and one more for each 13 characters, twice', () => {
  assert.equal(nameCost('a'), 128);
  assert.equal(nameCost('a'.repeat(13)), 128);
  assert.equal(nameCost('a'.repeat(14)), 192);
});
