/** An unfinished file is a twin only of a file with the same bytes, to the last of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import { scanTemporaries } from '../../src/esp/temporaries.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const NAMES = ['.espalier-1-1.tmp', 'kernel.efi'];

/** The twin of an unfinished file with these bytes beside a kernel of 10,000. */
function twinOf(bytes: Uint8Array): string | undefined {
  const kernel = countingBytes(10_000);
  const files = { '/boot/d/.espalier-1-1.tmp': bytes, '/boot/d/kernel.efi': kernel };
  const disk = new MemoryDisk({ files });
  const listed = NAMES.map((name) => ({ name, path: espPath('d', name) }));
  return scanTemporaries(disk, '/boot', listed)[0]?.twin;
}

describe('an unfinished file', () => {
  const kernel = countingBytes(10_000);

  test('with every byte of a file beside it is its twin', () => {
    assert.equal(twinOf(kernel), 'd/kernel.efi');
  });

  for (const [what, at] of [
    ['first', 0],
    ['last', 9999],
  ] as const) {
    test(`of the same size whose ${what} byte differs is nobody’s twin`, () => {
      const other = kernel.slice();
      other[at] = (other[at] ?? 0) ^ 1;
      assert.equal(twinOf(other), undefined);
    });
  }

  test('that was written at another time is a copy, and nobody’s twin', () => {
    const files = { '/boot/d/.espalier-1-1.tmp': kernel, '/boot/d/kernel.efi': kernel };
    const disk = new MemoryDisk({ files });
    const { stat } = disk;
    disk.stat = (path) => {
      const found = stat.call(disk, path);
      return found && { ...found, modified: found.modified + (path.endsWith('.tmp') ? 2000 : 0) };
    };
    const listed = NAMES.map((name) => ({ name, path: espPath('d', name) }));
    assert.equal(scanTemporaries(disk, '/boot', listed)[0]?.twin, undefined);
  });

  test('that is shorter is nobody’s twin', () => {
    assert.equal(twinOf(kernel.subarray(0, -1)), undefined);
  });
});
