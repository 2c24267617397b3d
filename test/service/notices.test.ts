import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, EspError } from '../../src/error.ts';
import type { Outcome } from '../../src/pass/outcome.ts';
import {
  announce,
  type Notices,
  noticesOf,
  noticesOfFailure,
  noticesOfLookout,
} from '../../src/service/notices.ts';
import { readTiming } from '../../src/settings/watch-options.ts';

const none: Notices = new Map();

const failing = (root: string, code: ErrorCode, message = `${root}: ${code}`): Outcome => ({
  root,
  warnings: [],
  failure: new EspError(code, message),
});
const fine = (root: string, ...warnings: readonly string[]): Outcome => ({ root, warnings });

/** A log that keeps what it is told, and each pass that is announced to it in turn. */
function aListener() {
  let lines: string[] = [];
  let known = none;
  const level = (name: string) => (fields: Record<string, unknown>, text?: string) => {
    lines.push([name, text, fields['was']].filter((part) => part !== undefined).join(' '));
  };
  const log = {
    debug: level('debug'),
    info: level('info'),
    warn: level('warn'),
    error: level('error'),
  };
  return (find: (known: Notices) => Notices): readonly string[] => {
    lines = [];
    known = announce(known, find(known), log);
    return lines;
  };
}

describe('a notice', () => {
  test('is told when it begins and when it is over, and at no time between', () => {
    const hear = aListener();
    const full = () => noticesOf([failing('/boot', 'ESP_FULL')]);
    assert.deepEqual(hear(full), ['error /boot: ESP_FULL']);
    assert.deepEqual(hear(full), []);
    assert.deepEqual(
      hear(() => none),
      ['info this is over: /boot: ESP_FULL'],
    );
    assert.deepEqual(hear(full), ['error /boot: ESP_FULL']);
  });

  test('is the same one in other words', () => {
    const hear = aListener();
    hear(() => noticesOf([failing('/boot', 'ESP_FULL', '900 bytes are to be had')]));
    assert.deepEqual(
      hear(() => noticesOf([failing('/boot', 'ESP_FULL', '800 bytes are to be had')])),
      [],
    );
  });

  test('is another one on another ESP, and of another kind', () => {
    const hear = aListener();
    hear(() => noticesOf([failing('/boot', 'ESP_FULL')]));
    assert.deepEqual(
      hear(() => noticesOf([failing('/boot', 'ESP_READ_ONLY'), failing('/mirror', 'ESP_FULL')])),
      [
        'error /boot: ESP_READ_ONLY',
        'error /mirror: ESP_FULL',
        'info this is over: /boot: ESP_FULL',
      ],
    );
  });

  test('is another one for another cause', () => {
    const hear = aListener();
    const unfinished = (code: ErrorCode) => () => {
      const failure = new EspError('IO', 'unfinished', { cause: new EspError(code, code) });
      return noticesOf([{ root: '/boot', warnings: [], failure }]);
    };
    hear(unfinished('ESP_FULL'));
    assert.deepEqual(hear(unfinished('ESP_FULL')), []);
    assert.deepEqual(hear(unfinished('ESP_READ_ONLY')), [
      'error unfinished: because ESP_READ_ONLY',
      'info this is over: unfinished: because ESP_FULL',
    ]);
  });

  test('about an ESP is not over because nobody could look', () => {
    const hear = aListener();
    const broken = (number: number) => (known: Notices) =>
      noticesOfFailure(new EspError('TARGET_BROKEN', `system-${number}-link`), known);
    hear(() => noticesOf([failing('/boot', 'ESP_FULL')]));
    assert.deepEqual(hear(broken(1)), ['error system-1-link']);
    assert.deepEqual(hear(broken(2)), ['error system-2-link', 'info this is over: system-1-link']);
    assert.deepEqual(
      hear(() => noticesOf([fine('/boot')])),
      ['info this is over: system-2-link', 'info this is over: /boot: ESP_FULL'],
    );
  });

  test('is no alarm when a hook holds the lock', () => {
    const hear = aListener();
    assert.deepEqual(
      hear(() => noticesOf([failing('/boot', 'LOCKED')])),
      ['info /boot: LOCKED'],
    );
  });

  test('is a warning for what needs a look, once for all ESPs', () => {
    const hear = aListener();
    assert.deepEqual(
      hear(() => noticesOf([fine('/boot', 'two of them'), fine('/mirror', 'two of them')])),
      ['warn two of them'],
    );
  });

  test('is a warning for a directory that cannot be watched', () => {
    const hear = aListener();
    const [line] = hear(() => noticesOfLookout(new Map([['/profiles', new Error('ENOSPC')]])));
    assert.match(line ?? '', /^warn \/profiles cannot be watched/);
  });
});

describe('the options of watch', () => {
  test('are milliseconds and seconds', () => {
    const { timing, settings } = readTiming({ debounce: '20', rescan: '60', esp: ['/boot'] });
    assert.equal(timing.debounce, 20);
    assert.equal(timing.rescan, 60_000);
    assert.deepEqual(settings, { esp: ['/boot'] });
  });

  for (const wrong of ['soon', '-1', '1.5', '', '2147484', '99999999999']) {
    test(`refuse ${JSON.stringify(wrong)} with a range`, () => {
      assert.throws(
        () => readTiming({ rescan: wrong }),
        (error: EspError) =>
          error.code === 'CONFIG_INVALID' && /--rescan: .* 0 to 2147483$/.test(error.message),
      );
    });
  }
});
