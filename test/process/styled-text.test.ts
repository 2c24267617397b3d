/** Text with meanings: colours by the wish of who reads, and none that others bring. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isAsciiLocale,
  plain,
  shown,
  type Wish,
  wantsColour,
} from '../../src/process/styled-text.ts';

const COLOURED = { isColoured: true, isAscii: false };
const PLAIN = { isColoured: false, isAscii: false };

describe('text with meanings', () => {
  const text = ['size ', { text: 'damaged', meaning: 'bad' }, '\n'] as const;

  test('is the same text with colours and without', () => {
    assert.equal(shown(text, PLAIN), 'size damaged\n');
    assert.equal(shown(text, COLOURED), 'size \u001b[1m\u001b[31mdamaged\u001b[39m\u001b[22m\n');
    assert.equal(plain(text), 'size damaged\n');
  });

  test('has no colour that came with a name, in a part that means something too', () => {
    const hostile = '\u001b[31mred\u001b]0;title\u0007';
    const parts = [hostile, { text: hostile, meaning: 'good' }] as const;
    assert.doesNotMatch(shown(parts, PLAIN), /\p{Cc}/u);
    const inside = shown(parts, COLOURED).replaceAll('\u001b[32m', '').replaceAll('\u001b[39m', '');
    assert.doesNotMatch(inside, /\p{Cc}/u);
  });

  test('is ASCII, as wide as it was, where the locale has nothing else', () => {
    const ours = 'others’ ████░░ – cut… → next';
    const inAscii = shown([ours], { isColoured: false, isAscii: true });
    assert.equal(inAscii, "others' ####.. - cut~ > next");
    assert.match(shown(['é各\u0301'], { isColoured: false, isAscii: true }), /^[ -~]+$/);
  });
});

describe('the locale', () => {
  const cases: readonly (readonly [Record<string, string>, boolean])[] = [
    [{}, true],
    [{ LANG: 'C' }, true],
    [{ LANG: 'C.UTF-8' }, false],
    [{ LANG: 'de_DE.utf8' }, false],
    [{ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }, true],
    [{ LANG: 'de_DE.UTF-8', LC_CTYPE: 'POSIX', LC_ALL: '' }, true],
  ];
  for (const [environment, isAscii] of cases) {
    test(`${JSON.stringify(environment)} has ${isAscii ? 'ASCII alone' : 'every character'}`, () => {
      assert.equal(isAsciiLocale(environment), isAscii);
    });
  }
});

describe('colours', () => {
  const cases: readonly (readonly [Wish, Record<string, string>, boolean, boolean])[] = [
    ['auto', {}, true, true],
    ['auto', {}, false, false],
    ['auto', { TERM: 'dumb' }, true, false],
    ['auto', { NO_COLOR: '1' }, true, false],
    ['auto', { NO_COLOR: '' }, true, true],
    ['auto', { CLICOLOR: '0' }, true, false],
    ['auto', { FORCE_COLOR: '0' }, true, false],
    ['auto', { FORCE_COLOR: '1' }, false, true],
    ['auto', { CLICOLOR_FORCE: '1', TERM: 'dumb' }, false, true],
    ['auto', { CLICOLOR_FORCE: '0' }, false, false],
    ['auto', { FORCE_COLOR: '3', NO_COLOR: '1' }, true, false],
    ['always', { NO_COLOR: '1' }, false, true],
    ['never', { FORCE_COLOR: '1' }, true, false],
  ];
  for (const [wish, environment, isTerminal, expected] of cases) {
    const where = isTerminal ? 'a terminal' : 'no terminal';
    test(`${wish}, ${JSON.stringify(environment)}, ${where}: ${expected ? 'yes' : 'no'}`, () => {
      assert.equal(
        wantsColour(wish, environment, () => isTerminal),
        expected,
      );
    });
  }
});
