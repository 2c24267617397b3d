import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { expandSpecifiers } from '../../src/confine/specifier.ts';
import { parseUnitName } from '../../src/confine/unit-name.ts';
import { parseWords, quotePath } from '../../src/confine/words.ts';

const texts = (value: string) => parseWords(value).map(({ text }) => text);

describe('words', () => {
  const examples: readonly (readonly [string, readonly string[]])[] = [
    ['a  b\tc', ['a', 'b', 'c']],
    [`"a b" 'c "d"' e`, ['a b', 'c "d"', 'e']],
    [`x"y z"w ""`, ['xy zw', '']],
    [String.raw`\x41\102\u00e9\U0001f600 \sa\s`, ['ABé😀', ' a ']],
    [String.raw`\xc3\xa9 "\"" '\''`, ['é', '"', "'"]],
    [String.raw`\q \x4 \x00 \z\\`, ['\\q', '\\x4', '\\x00', '\\z\\']],
    ['', []],
  ];
  for (const [value, expected] of examples) {
    test(`${JSON.stringify(value)} are ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(texts(value), expected);
    });
  }

  test('with a quote left open are refused', () => {
    assert.throws(() => texts(`a "b`), { code: 'CONFIG_INVALID' });
  });

  test('of a path that was quoted are that path', () => {
    const unit = { name: parseUnitName('x.service'), file: '/x.service' };
    const path = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .filter((text) => !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(path, (text) => {
        const words = texts(quotePath(`/${text}`));
        assert.deepEqual(
          words.map((word) => expandSpecifiers(word, unit)),
          [`/${text}`],
        );
      }),
    );
    assert.throws(() => quotePath('/a\nb'), { code: 'CONFIG_INVALID' });
  });
});
