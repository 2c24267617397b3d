import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  entryOsRelease,
  formatOsRelease,
  parseOsRelease,
  representable,
} from '../../src/uki/os-release.ts';

test('a generation says what it is in the words of lanzaboote, quoted only where needed', () => {
  const text = entryOsRelease({
    sortKey: 'lanza',
    label: 'NixOS Vicuña 24.11 (Linux 6.12.3)',
    versionTag: 'Generation 5-gaming, 2026-11-20',
  });
  assert.equal(
    text,
    'ID=lanza\n' +
      'PRETTY_NAME="NixOS Vicuña 24.11 (Linux 6.12.3) (Generation 5-gaming, 2026-11-20)"\n' +
      'VERSION_ID="Generation 5-gaming, 2026-11-20"\n',
  );
});

test('what is formatted is parsed again, whatever the value', () => {
  const key = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,20}$/);
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', "'", '=', ' ', '\\', '\n', '#', 'a') }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value)), (fields) => {
      const survivors = fields
        .map(([name, content]) => [name, representable(content)])
        .filter(([, content]) => content !== '');
      assert.deepEqual(parseOsRelease(formatOsRelease(fields)), survivors);
    }),
    { numRuns: 150 },
  );
});

test('no label can add a line, end a quote or name a variable', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (label) => {
      const text = entryOsRelease({ sortKey: 'nixos', label, versionTag: 'Generation 1' });
      assert.equal(text.split(/[\n\r\0\u2028\u2029]/).length, 4);
      assert.doesNotMatch(text, /[$`\\]/);
      assert.equal(text.match(/"/g)?.length, 4);
    }),
    { numRuns: 300 },
  );
  const hostile = entryOsRelease({
    sortKey: 'nixos',
    label: 'x"\nID=evil\r$(id)',
    versionTag: '1',
  });
  assert.match(hostile, /^PRETTY_NAME="x' ID=evil _\(id\) \(1\)"$/m);
});

test('any text is read without complaint', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseOsRelease(text)));
});
