/** Columns and lines as wide as a terminal has them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plain } from '../../src/process/styled-text.ts';
import { wrapped } from '../../src/terminal/lines.ts';
import { cut, formatTable } from '../../src/terminal/table.ts';

test('columns are as wide as characters are, and lines end without blanks', () => {
  const rows = [
    ['各各', 'b', ''],
    ['a', '', 'c'],
  ];
  assert.equal(
    plain(formatTable(['A', 'B', 'C'], rows)),
    ['A     B  C', '各各  b', 'a        c'].join('\n'),
  );
});

test('what cells mean changes no width', () => {
  const rows = [[{ text: 'bad', meaning: 'bad' } as const, 'x']];
  const same = formatTable(['A', 'B'], [['bad', 'x']]);
  assert.equal(plain(formatTable(['A', 'B'], rows)), plain(same));
});

test('lines break at blanks, and a word that is longer stays whole', () => {
  assert.deepEqual(wrapped('run espalier repair now', 12), ['run espalier', 'repair now']);
  assert.deepEqual(wrapped('see EFI/Linux/nixos.efi', 10), ['see', 'EFI/Linux/nixos.efi']);
  assert.deepEqual(wrapped('各各 各各', 5), ['各各', '各各']);
});

test('what is cut ends with an ellipsis, and fits', () => {
  assert.equal(cut('各各各', 5), '各各…');
  assert.equal(cut('short', 5), 'short');
});
