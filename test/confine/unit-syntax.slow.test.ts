import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseUnit } from '../../src/confine/unit-syntax.ts';

describe('the text of a unit', () => {
  test('is assignments in their sections, without comments and blanks', () => {
    const text = '\uFEFFlost=1\n# no\n[A]\n ; no\n k = v = w \r\n\nnoise\n[B C]\nk=\n';
    assert.deepEqual(parseUnit(text), [
      { section: 'A', key: 'k', value: 'v = w' },
      { section: 'B C', key: 'k', value: '' },
    ]);
  });

  test('goes on after a backslash, over comments, and to the end of the file', () => {
    const text = '[A]\nk=one \\\n# not me\n  two\\\n; nor me\nthree\nl=x\\\\\nm=end\\';
    assert.deepEqual(
      parseUnit(text).map(({ key, value }) => [key, value]),
      [
        ['k', 'one  two three'],
        ['l', 'x\\\\'],
        ['m', 'end'],
      ],
    );
  });

  test('of any kind is read without complaint', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const { section, key } of parseUnit(`[S]\n${text}`)) assert.ok(section + key !== '');
      }),
    );
  });

  test('gives back every assignment that was written in it', () => {
    const word = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/);
    const value = word.filter((text) => !text.endsWith('\\'));
    const key = fc.stringMatching(/^[A-Z][A-Za-z]{0,10}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), (pairs) => {
        const lines = pairs.map(([name, text]) => `${name}=${text}`);
        const got = parseUnit(['[Service]', ...lines].join('\n'));
        assert.deepEqual(
          got.map((assignment) => [assignment.key, assignment.value]),
          pairs,
        );
      }),
    );
  });
});
