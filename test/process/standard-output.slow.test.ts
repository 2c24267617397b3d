import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unsteered } from '../../src/process/styled-text.ts';

test('what steers a terminal is shown instead of obeyed; lines and columns stay', () => {
  const hostile = 'a\u001b[2J\u009b1m\u202e\u200b\r\u{e0041}\n\tb';
  const shown = 'a\\u001b[2J\\u009b1m\\u202e\\u200b\\u000d\\udb40\\udc41\n\tb';
  assert.equal(unsteered(hostile), shown);
});

test('a document says the same as before', () => {
  fc.assert(
    fc.property(fc.json(), fc.string({ unit: 'binary' }), (text, label) => {
      const value = { text: JSON.parse(text) as unknown, label };
      const written = unsteered(JSON.stringify(value, undefined, 2));
      assert.doesNotMatch(written.replaceAll(/[\n\t]/g, ' '), /[\p{Cc}\p{Cf}]/u);
      assert.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(value)));
    }),
  );
});
