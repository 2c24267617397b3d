import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { matchesPattern } from '../../src/loader/pattern.ts';

const rows: readonly (readonly [pattern: string, id: string, matches: boolean])[] = [
  ['nixos-generation-7.efi', 'nixos-generation-7.efi', true],
  ['nixos-generation-7.efi', 'nixos-generation-7.efi2', false],
  ['nixos-*', 'nixos-generation-7.efi', true],
  ['nixos-*', 'other.efi', false],
  ['*', '', true],
  ['**', 'a', true],
  ['', '', true],
  ['', 'a', false],
  ['?', '', false],
  ['?', 'a', true],
  ['*.efi', 'a.efi.efi', true],
  ['*a*b*c', 'xaxbxcxc', true],
  ['*a*b*c', 'xaxcxb', false],
  ['NixOS-*', 'nixos-1.efi', true],
  ['nixos-*', 'NixOS-1.EFI', true],
  ['[a-c]', 'b', true],
  ['[a-c]', 'd', false],
  ['[abc]', '', false],
  ['[]a]', ']', true],
  ['[-a]', '-', true],
  ['[a-]', '-', true],
  ['[a-c-e]', 'd', false],
  ['[a-c-e]', '-', true],
  ['[!a]', 'b', false],
  ['[!a]', '!', true],
  ['[\\]]', ']', true],
  ['[a-\\c]', 'b', true],
  ['[a', 'a', false],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a\\', 'a', false],
  ['a\\', 'a\\', false],
];

for (const [pattern, id, matches] of rows) {
  test(`${pattern || 'nothing'} ${matches ? 'matches' : 'does not match'} ${id || 'nothing'}`, () => {
    assert.equal(matchesPattern(pattern, id), matches);
  });
}

test('every ID matches itself, and every pattern made from it', () => {
  const id = fc.stringMatching(/^[a-z0-9+._-]{1,30}$/);
  fc.assert(
    fc.property(id, fc.nat(30), fc.nat(30), (text, from, length) => {
      assert.ok(matchesPattern(text, text));
      assert.ok(matchesPattern(`${text.slice(0, from)}*${text.slice(from + length)}`, text));
      assert.ok(matchesPattern(text.replace(/./g, '?'), text));
    }),
  );
});

test('stars alone decide as a regular expression does', () => {
  const few = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
  fc.assert(
    fc.property(few, text, (pattern, id) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(id);
      assert.equal(matchesPattern(pattern, id), expected);
    }),
    { numRuns: 1000 },
  );
});

test('a pattern made to take forever is answered', () => {
  assert.ok(!matchesPattern('*a'.repeat(500), 'a'.repeat(255)));
  assert.ok(!matchesPattern(`${'*a'.repeat(200)}b`, 'a'.repeat(255)));
  assert.ok(!matchesPattern('[a-z'.repeat(256), 'a'.repeat(255)));
  assert.ok(!matchesPattern('*'.repeat(1025), 'a'));
});

test('any pattern is answered', () => {
  const pattern = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'*?[]-\\!ab'), maxLength: 20 }),
    fc.string(),
  );
  fc.assert(
    fc.property(pattern, fc.string(), (hostile, id) => {
      assert.equal(typeof matchesPattern(hostile, id), 'boolean');
    }),
    { numRuns: 2000 },
  );
});
