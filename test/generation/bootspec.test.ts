import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { BOOTSPEC, parseBootspec, SPECIALISATIONS } from '../../src/generation/bootspec.ts';
import { anyText } from './any-text.ts';

const folder = join(import.meta.dirname, '../../fixtures/bootspec');
const valid = readFileSync(join(folder, 'v1-specialisations.json'), 'utf8');

/** Returns the message of the refusal, or undefined; anything but a refusal is thrown on. */
function refusal(text: string): string | undefined {
  try {
    parseBootspec(text, 'boot.json');
    return undefined;
  } catch (error) {
    if (error instanceof EspError) return error.message;
    throw error;
  }
}

/** The valid document with other top-level keys, and other keys in its entry. */
function documentWith(entry: object, keys: object = {}): string {
  const document = JSON.parse(readFileSync(join(folder, 'v1-plain.json'), 'utf8'));
  return JSON.stringify({ ...document, [BOOTSPEC]: { ...document[BOOTSPEC], ...entry }, ...keys });
}

test('any JSON is read or refused', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 6 }), (text) => void refusal(text)));
});

test('any text is read or refused with a message of bounded length', () => {
  fc.assert(
    fc.property(anyText(300), (text) => {
      const message = refusal(text);
      assert.ok(message === undefined || message.length < 500);
      assert.doesNotMatch(message ?? '', /\p{Cc}/u);
    }),
  );
});

test('a valid document with bytes changed is read or refused', () => {
  const change = fc.tuple(fc.nat(valid.length - 1), fc.nat(3), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = valid;
      for (const [at, length, by] of changes)
        text = text.slice(0, at) + by + text.slice(at + length);
      refusal(text);
    }),
    { numRuns: 300 },
  );
});

test('a valid document with any value replaced is refused, or still well-formed', () => {
  const keys = ['system', 'init', 'kernel', 'kernelParams', 'label', 'toplevel', 'initrd'] as const;
  fc.assert(
    fc.property(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 3 }), (key, value) => {
      const text = documentWith({ [key]: value });
      if (refusal(text) !== undefined) return;
      const bootspec = parseBootspec(text, 'boot.json');
      assert.ok(bootspec.kernel.startsWith('/') && !/\p{Cc}/u.test(bootspec.kernel));
      assert.doesNotMatch(bootspec.kernelParams.join(''), /\p{Cc}/u);
      assert.doesNotMatch(bootspec.init ?? '', /\s/);
    }),
    { numRuns: 300 },
  );
});

test('a document that nests without end is refused before it is walked', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const bomb = open.repeat(500_000) + close.repeat(500_000);
    assert.match(refusal(bomb) ?? '', /expected at most 64 nested values/);
    assert.match(refusal(`{"x":${bomb}}`) ?? '', /expected at most 64 nested values/);
  }
});

test('brackets inside strings do not count as nesting', () => {
  assert.equal(refusal(documentWith({ label: `\\"${'[{'.repeat(1000)}` })), undefined);
});

test('a document full of faults is refused for its first one', () => {
  const message = refusal(documentWith({ kernelParams: new Array(100_000).fill(1) }));
  assert.match(message ?? '', /kernelParams\[0\]: expected string, got number$/);
});

test('names that JavaScript objects have by themselves are names like any other', () => {
  const text = documentWith({}, { [SPECIALISATIONS]: {} }).replace(
    `"${SPECIALISATIONS}":{}`,
    `"${SPECIALISATIONS}":{"__proto__":${documentWith({ label: 'odd' })},"constructor":${documentWith({})}},"__proto__":{"polluted":1}`,
  );
  const { specialisations, extensions } = parseBootspec(text, 'boot.json');
  assert.deepEqual([...specialisations.keys()], ['__proto__', 'constructor']);
  assert.equal(specialisations.get('__proto__')?.label, 'odd');
  assert.deepEqual(Object.keys(extensions), ['__proto__']);
  assert.equal(Reflect.get(extensions, 'polluted'), undefined);
});

test('a specialisation inside a specialisation has no meaning, whatever it holds', () => {
  const child = JSON.parse(documentWith({}, { [SPECIALISATIONS]: { deep: 'nonsense' } }));
  const odd = JSON.parse(documentWith({}, { [SPECIALISATIONS]: 7 }));
  const { specialisations } = parseBootspec(
    documentWith({}, { [SPECIALISATIONS]: { child, odd } }),
    'boot.json',
  );
  assert.deepEqual(
    [...specialisations.values()].map((bootspec) => bootspec.specialisations.size),
    [0, 0],
  );
});

test("the sort key is lanzaboote's, else systemd-boot's, else none", () => {
  const lanza = { 'org.nix-community.lanzaboote': { sort_key: 'lanza' } };
  const nixos = { 'org.nixos.systemd-boot': { sortKey: 'nixos' } };
  const empty = { 'org.nix-community.lanzaboote': { sort_key: '' } };
  const keys = [{ ...lanza, ...nixos }, nixos, { ...empty, ...nixos }, empty, {}].map(
    (extensions) => parseBootspec(documentWith({}, extensions), 'boot.json').sortKey,
  );
  assert.deepEqual(keys, ['lanza', 'nixos', 'nixos', undefined, undefined]);
});

test('a refusal repeats nothing that a terminal would obey', () => {
  const message = refusal(documentWith({ kernel: '\u009b2J\u001b[2J/evil' })) ?? '';
  assert.match(message, /got "\\u009b2J\\u001b\[2J\/evil"$/);
});
