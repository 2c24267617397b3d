import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { espPath } from '../../src/esp/layout.ts';
import { allocated, directoryGrowth } from '../../src/esp/space.ts';

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

/** Names of a length in one directory. */
const names = (count: number, length: number) =>
  Array.from({ length: count }, (_, index) => espPath('EFI', String(index).padStart(length, 'x')));

test('a name takes a slot of 32 bytes and one more for each 13 characters, twice', () => {
  const present = new Set([espPath('EFI')]);
  assert.equal(directoryGrowth(names(4, 13), present, 512), 512);
  assert.equal(directoryGrowth(names(4, 14), present, 512), 1024);
  assert.equal(directoryGrowth([], present, 512), 0);
});

test('a directory that has to be made takes a cluster more', () => {
  assert.equal(directoryGrowth(names(1, 5), new Set(), 4096), 8192);
});

test('so does each of those above it, but for the two that every ESP has, and each counts once', () => {
  const growth = (paths: readonly string[], present: readonly string[] = []) =>
    directoryGrowth(
      paths.map((path) => espPath(path)),
      new Set(present.map((path) => espPath(path))),
      4096,
    ) / 4096;
  assert.equal(growth(['EFI/nixos/x']), 2);
  assert.equal(growth(['x']), 1);
  assert.equal(growth(['firmware/board/x', 'firmware/y']), 4);
  assert.equal(growth(['firmware/board/x'], ['firmware/board']), 1);
  assert.equal(growth(['EFI/a/b/c/x'], ['EFI/a']), 3);
  assert.equal(growth(['a/b/c/x']), 4);
});
