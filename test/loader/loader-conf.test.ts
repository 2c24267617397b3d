import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Line } from '../../src/bls.ts';
import { EspError } from '../../src/error.ts';
import {
  formatLoaderConf,
  isSector,
  namedNext,
  parseLoaderConf,
  SECTOR,
} from '../../src/loader/loader-conf.ts';

const text = (settings: readonly Line[], defaultId = 'a.efi') =>
  new TextDecoder().decode(formatLoaderConf(settings, { id: defaultId }));

test('the default comes first, then the settings in their order, below one comment', () => {
  const conf = text(
    [
      ['timeout', '5'],
      ['editor', 'no'],
    ],
    'nixos-generation-7-abc.efi',
  );
  assert.equal(
    conf.trimEnd().replace(/ [a-z2-7]{8} *\n/, ' SEAL\n'),
    `# Written by espalier: settings are made in its configuration. SEAL
default nixos-generation-7-abc.efi
timeout 5
editor no`,
  );
  assert.match(conf, /no\n+$/);
});

test('whatever room is left, it is one sector, and reads as it was given', () => {
  for (let length = 1; length < 490; length++) {
    const id = `${'a'.repeat(length)}.efi`;
    const conf = text([], id);
    assert.equal(conf.length, SECTOR);
    assert.deepEqual(parseLoaderConf(conf), [['default', id]]);
    assert.ok(conf.endsWith('\n'));
    assert.ok(conf.split('\n').length <= 5, conf);
    // One that was padded with line ends is as much ours.
    const older = `default ${id}\n`.padEnd(SECTOR, '\n');
    assert.deepEqual(parseLoaderConf(older), parseLoaderConf(conf));
    assert.ok(isSector(new TextEncoder().encode(older)));
  }
});

test('the file is exactly one sector', () => {
  assert.equal(formatLoaderConf([], { id: 'a.efi' }).length, SECTOR);
  assert.ok(isSector(formatLoaderConf([], { id: 'a.efi' })));
  assert.ok(!isSector(new Uint8Array(511)));
  assert.ok(!isSector(new Uint8Array(513)));
});

test('a default or preferred entry among the settings gives way to ours', () => {
  const conf = text(
    [
      ['default', 'other.efi'],
      ['preferred', 'another.efi'],
      ['timeout', '0'],
    ],
    'ours.efi',
  );
  assert.deepEqual(parseLoaderConf(conf), [
    ['default', 'ours.efi'],
    ['timeout', '0'],
  ]);
});

test('an entry that may turn out bad is preferred, and what boots in its place the default', () => {
  const next = { id: 'ours.efi', fallback: 'nixos-generation-*' };
  const written = formatLoaderConf([['timeout', '0']], next);
  const settings = parseLoaderConf(new TextDecoder().decode(written));
  assert.deepEqual(settings, [
    ['preferred', 'ours.efi'],
    ['default', 'nixos-generation-*'],
    ['timeout', '0'],
  ]);
  assert.equal(namedNext(settings), 'ours.efi');
  assert.equal(namedNext([['default', 'a.efi']]), 'a.efi');
  assert.equal(namedNext([]), undefined);
});

test('the comment goes when the settings need its room', () => {
  assert.match(text([['log-level', 'x'.repeat(450)]]), /^default a\.efi\n/);
});

test('settings that do not fit are refused with the numbers and a hint', () => {
  assert.throws(
    () => text([['log-level', 'x'.repeat(512)]]),
    (error) =>
      error instanceof EspError &&
      error.code === 'CONFIG_INVALID' &&
      error.hint !== undefined &&
      /expected at most 512 bytes, got 537 in 2 lines/.test(error.message),
  );
});

test('room is counted in bytes of UTF-8', () => {
  assert.throws(() => text([['log-level', 'é'.repeat(250)]]), { code: 'CONFIG_INVALID' });
});

const unwritable: readonly (readonly [what: string, line: Line])[] = [
  ['a value of two lines', ['timeout', '5\ndefault evil.efi']],
  ['a value with a carriage return', ['timeout', '5\rdefault evil.efi']],
  ['a value with a NUL', ['timeout', '5\0']],
  ['an empty value', ['timeout', '']],
  ['a value that is no text', ['timeout', '\ud800']],
  ['a key with a blank', ['time out', '5']],
  ['a key that is a comment', ['#timeout', '5']],
  ['an empty key', ['', '5']],
];

for (const [what, line] of unwritable) {
  test(`${what} is refused`, () => {
    assert.throws(() => text([line]), { code: 'CONFIG_INVALID' });
    if (line[0] === 'timeout') assert.throws(() => text([], line[1]), { code: 'CONFIG_INVALID' });
  });
}

const key = fc.stringMatching(/^[a-z][a-z0-9-]{0,11}$/);
const value = fc.oneof(
  fc.stringMatching(/^[ -~]{1,20}$/),
  fc.constantFrom('"', '""', "'", '"a"', '\'a"', ' ', ' a', 'a ', '#a', '" "', 'é'),
);
const setting: fc.Arbitrary<Line> = fc.tuple(key, value);

test('what is written is what systemd-boot reads', () => {
  fc.assert(
    fc.property(fc.array(setting, { maxLength: 8 }), value, (settings, id) => {
      const others = settings.filter(([name]) => name !== 'default' && name !== 'preferred');
      assert.deepEqual(parseLoaderConf(text(settings, id)), [['default', id], ...others]);
    }),
    { numRuns: 500 },
  );
});

test('whatever is found in the file is read, and can be written again or is refused', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (found) => {
      const settings = parseLoaderConf(found);
      try {
        assert.equal(formatLoaderConf(settings, { id: 'a.efi' }).length, SECTOR);
      } catch (error) {
        assert.ok(error instanceof EspError);
      }
    }),
    { numRuns: 500 },
  );
});
