import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decideLoader, type LoaderQuestion } from '../../src/loader/upgrade.ts';

const X64 = 0x8664;
const loader = (version: string, machine = X64) =>
  ({ kind: 'systemd-boot', version, machine }) as const;
const malformed = { kind: 'malformed', because: 'boot loader: headers: cut short' } as const;

const usual: LoaderQuestion = {
  place: 'fallback',
  source: { version: '258', machine: X64 },
  installed: loader('258'),
  signature: 'not-checked',
  force: false,
};

const rows: readonly (readonly [
  what: string,
  question: Partial<LoaderQuestion>,
  kind: string,
  because: RegExp,
])[] = [
  ['an absent loader', { installed: { kind: 'absent' } }, 'replace', /^there is none$/],
  ['a damaged loader', { installed: malformed }, 'replace', /^it is damaged: .*cut short$/],
  ['an older loader', { installed: loader('257.9') }, 'replace', /^257\.9 is older than 258$/],
  ['a release candidate', { installed: loader('258~rc2') }, 'replace', /is older/],
  ['the same loader', {}, 'keep', /^258 is as new as 258$/],
  ['a newer loader', { installed: loader('259') }, 'keep', /^259 is newer than 258$/],
  ['a newer loader of ours', { installed: loader('259'), signature: 'valid' }, 'keep', /newer/],
  ['a forced downgrade', { installed: loader('259'), force: true }, 'replace', /^it was asked for/],
  ['a forced reinstall', { force: true }, 'replace', /instead of 258$/],
  [
    'an unsigned loader of the same version',
    { signature: 'invalid' },
    'replace',
    /signature is not valid/,
  ],
  [
    'a newer loader that firmware would refuse',
    { installed: loader('259'), signature: 'invalid' },
    'replace',
    /signature is not valid/,
  ],
  [
    'a loader for another processor',
    { installed: loader('259', 0xaa64) },
    'replace',
    /another processor/,
  ],
  [
    'a foreign fallback',
    { installed: { kind: 'foreign' } },
    'leave-foreign',
    /another system may start/,
  ],
  [
    'a foreign fallback, signature and force notwithstanding',
    { installed: { kind: 'foreign' }, signature: 'invalid', force: true },
    'leave-foreign',
    /not systemd-boot/,
  ],
  [
    'a foreign file under the name of systemd-boot',
    { installed: { kind: 'foreign' }, place: 'systemd' },
    'replace',
    /under a name that is/,
  ],
];

const outcomes: Readonly<Record<string, string>> = {
  keep: 'kept',
  replace: 'replaced',
  'leave-foreign': 'left alone',
};

for (const [what, question, kind, because] of rows) {
  test(`${what} is ${outcomes[kind]}`, () => {
    const decision = decideLoader({ ...usual, ...question });
    assert.equal(decision.kind, kind);
    assert.match(decision.because, because);
  });
}

const question: fc.Arbitrary<LoaderQuestion> = fc.record({
  place: fc.constantFrom('systemd', 'fallback'),
  source: fc.record({ version: fc.string(), machine: fc.constant(X64) }),
  installed: fc.oneof(
    fc.constantFrom({ kind: 'absent' } as const, { kind: 'foreign' } as const, malformed),
    fc.string().map((version) => loader(version)),
  ),
  signature: fc.constantFrom('valid', 'invalid', 'not-checked'),
  force: fc.boolean(),
});

test('a second run keeps what the first one installed', () => {
  fc.assert(
    fc.property(question, (first) => {
      if (decideLoader(first).kind !== 'replace') return;
      const second = {
        ...first,
        installed: { kind: 'systemd-boot', ...first.source },
        signature: 'valid',
        force: false,
      } as const;
      assert.equal(decideLoader(second).kind, 'keep');
    }),
  );
});

test('a foreign fallback is never replaced', () => {
  fc.assert(
    fc.property(question, (asked) => {
      const decision = decideLoader({
        ...asked,
        place: 'fallback',
        installed: { kind: 'foreign' },
      });
      assert.equal(decision.kind, 'leave-foreign');
    }),
  );
});
