import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareVersions } from '../src/version.ts';

const rows: readonly (readonly [a: string, order: '<' | '=' | '>', b: string])[] = [
  ['257~rc1', '<', '257'],
  ['257-rc1', '>', '257'],
  ['257.13-1~deb13u1', '<', '257.13-1'],
  ['255.9', '<', '255.10'],
  ['257.3+nixos', '>', '257.3'],
  ['1_', '=', '1'],
  ['B', '<', 'a'],
  ['0.', '>', '0'],
  ['1..2', '<', '1.2'],
  ['a0', '=', 'a00'],
  ['0', '>', '~'],
  ['1.a', '<', '1.0'],
  ['', '=', ''],
  ['', '<', '1'],
  ['', '>', '~'],
  ['1_2', '=', '1__2'],
  ['1_2', '=', '1 2'],
  ['99999999999999999999', '<', '100000000000000000000'],
  ['258', '>', '257.13'],
];
const signs = { '<': -1, '=': 0, '>': 1 } as const;

for (const [a, order, b] of rows) {
  test(`${a || 'nothing'} ${order} ${b || 'nothing'}`, () => {
    assert.equal(compareVersions(a, b), signs[order]);
    assert.equal(compareVersions(b, a), signs[order] === 0 ? 0 : -signs[order]);
  });
}

test('the chain of the specification ascends, each link against every other', () => {
  const chain =
    '122.1 123~rc1-1 123 123-a 123-a.1 123-1 123-1.1 123^post1 123.a-1 123.1-1 123a-1 124-1';
  const versions = chain.split(' ');
  for (const [left, a] of versions.entries()) {
    for (const [right, b] of versions.entries()) {
      assert.equal(compareVersions(a, b), Math.sign(left - right), `${a} and ${b}`);
    }
  }
});

const version = fc.string({ unit: fc.constantFrom(...'0129abZ~-^._+'), maxLength: 10 });

test('every version equals itself, and swapping two swaps the answer', () => {
  fc.assert(
    fc.property(fc.oneof(version, fc.string()), fc.oneof(version, fc.string()), (a, b) => {
      assert.equal(compareVersions(a, a), 0);
      assert.equal(compareVersions(a, b) + compareVersions(b, a), 0);
    }),
    { numRuns: 2000 },
  );
});

test('a version of a hundred thousand characters is compared', () => {
  for (const part of ['1.', '~', 'a1', '0', '_', '^-.']) {
    assert.equal(compareVersions(part.repeat(100_000), part.repeat(100_000)), 0);
  }
});

test('systemd-analyze agrees', (t) => {
  const asked = (a: string, b: string) =>
    spawnSync('systemd-analyze', ['compare-versions', a, b]).status;
  if (asked('1', '2') !== 12) return t.skip('needs systemd-analyze');
  const orders: Readonly<Record<number, number>> = { 0: 0, 11: 1, 12: -1 };
  // A version that starts with `-` would be an option there, and older releases do not compare nothing.
  const argument = version.filter((text) => /^[^-]/.test(text));
  fc.assert(
    fc.property(argument, argument, (a, b) => {
      assert.equal(compareVersions(a, b), orders[asked(a, b) ?? -1]);
    }),
    { numRuns: 100 },
  );
});
