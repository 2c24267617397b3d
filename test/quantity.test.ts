/** Numbers as people say them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counted, exactSize, formatSize } from '../src/quantity.ts';

test('one thing is no several things', () => {
  assert.equal(counted(1, 'file'), '1 file');
  assert.equal(counted(0, 'file'), '0 files');
  assert.equal(counted(2, 'policy', 'policies'), '2 policies');
});

test('a size has its unit, and one to the byte is told with both', () => {
  assert.equal(formatSize(62_914_560), '60.0 MiB');
  assert.equal(exactSize(1), '1 byte');
  assert.equal(exactSize(9999), '9999 bytes');
  assert.equal(exactSize(62_914_561), '62914561 bytes (60.0 MiB)');
});
