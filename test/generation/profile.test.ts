import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import {
  currentToplevel,
  findGenerationLinks,
  ofOneArchitecture,
  parseLink,
  readGenerations,
} from '../../src/generation/profile.ts';
import { aBootspec, aGeneration, aProfiles, aRoot } from './a-generation.ts';
import { anyText } from './any-text.ts';

const disk = nodeDisk();

test('a link tells profile and number', () => {
  const path = '/nix/var/nix/profiles/system-10-link';
  assert.deepEqual(parseLink(path), { profile: undefined, number: 10, path });
  assert.equal(parseLink('system-3-link')?.number, 3);
  const named = parseLink('/p/system-profiles/work-2-3-link');
  assert.deepEqual([named?.profile, named?.number], ['work-2', 3]);
  assert.equal(parseLink('/p/system-profiles/system-3-link')?.profile, 'system');
});

test('names that Nix does not give to generations of systems are no links', () => {
  for (const name of [
    'system',
    'system-link',
    'system-x-link',
    'system-1-link.tmp',
    'system-0-link',
    'system-007-link',
    'system--1-link',
    'system-1e3-link',
    'system-9007199254740992-link',
    'system-99999999999999999999-link',
    'default-1-link',
    'per-user',
    '-1-link',
    '',
  ]) {
    assert.equal(parseLink(`/nix/var/nix/profiles/${name}`), undefined, name);
  }
  assert.equal(parseLink('/p/system-9007199254740991-link')?.number, Number.MAX_SAFE_INTEGER);
});

test('any name is a link or none', () => {
  fc.assert(
    fc.property(anyText(), fc.integer({ min: 1 }), (name, number) => {
      parseLink(name);
      fc.pre(name !== '' && !name.includes('/'));
      const link = parseLink(`/p/system-profiles/${name}-${number}-link`);
      assert.deepEqual([link?.profile, link?.number], [name, number]);
    }),
  );
});

test('links are found by profile, the newest first, by number and not by text', (t) => {
  const profiles = aProfiles(aRoot(t), [
    { number: 9 },
    { number: 10 },
    { number: 2 },
    { number: 3, profile: 'work' },
    { number: 1, profile: 'guest' },
    { number: 12, profile: 'work' },
  ]);
  fs.mkdirSync(join(profiles, 'per-user'));
  fs.symlinkSync('/nonexistent', join(profiles, 'default-4-link'));
  assert.deepEqual(
    findGenerationLinks(disk, profiles).map(({ path }) => path.slice(profiles.length + 1)),
    [
      'system-10-link',
      'system-9-link',
      'system-2-link',
      'system-profiles/guest-1-link',
      'system-profiles/work-12-link',
      'system-profiles/work-3-link',
    ],
  );
});

test('a machine without profiles has no links', (t) => {
  assert.deepEqual(findGenerationLinks(disk, join(aRoot(t), 'nothing')), []);
});

test('the current system of a profile is where the profile leads', (t) => {
  const profiles = aProfiles(aRoot(t), [{}, {}, { profile: 'work' }]);
  const real = (name: string) => fs.realpathSync(join(profiles, name));
  assert.equal(currentToplevel(disk, profiles), real('system-2-link'));
  assert.equal(currentToplevel(disk, profiles, 'work'), real('system-profiles/work-1-link'));
  assert.equal(currentToplevel(disk, profiles, 'none'), undefined);
});

test('one broken generation is set apart and stops no other', (t) => {
  const profiles = aProfiles(aRoot(t), [
    {},
    { bootJson: '{' },
    { toplevel: '/nonexistent' },
    { bootJson: 'absent' },
    { profile: 'a "quoted\\" name' },
  ]);
  const { generations, malformed } = readGenerations(disk, findGenerationLinks(disk, profiles));
  assert.deepEqual(
    generations.map(({ profile, number }) => [profile, number]),
    [
      [undefined, 4],
      [undefined, 1],
      ['a "quoted\\" name', 1],
    ],
  );
  assert.deepEqual(
    malformed.map(({ number, cause }) => [number, cause.code]),
    [
      [3, 'GENERATION_BROKEN'],
      [2, 'BOOTSPEC_MALFORMED'],
    ],
  );
});

const arm = { system: 'aarch64-linux' };

test('generations for one kind of machine are fine together', () => {
  ofOneArchitecture([]);
  ofOneArchitecture([], 'x86_64-linux');
  ofOneArchitecture([aGeneration(), aGeneration({ number: 2 })]);
  ofOneArchitecture([aGeneration({ bootspec: arm })], 'aarch64-linux');
});

test('generations for several kinds of machines are refused by name', () => {
  const generations = [
    aGeneration({ number: 3 }),
    aGeneration({ number: 2, bootspec: arm }),
    aGeneration({ number: 1 }),
    aGeneration({ profile: 'work', bootspec: arm }),
  ];
  assert.throws(() => ofOneArchitecture(generations), {
    code: 'MIXED_ARCHITECTURES',
    message:
      'expected every generation to be for the same system, got x86_64-linux (generation 3, 1) and aarch64-linux (generation 2, work 1)',
  });
});

test('generations that agree on a system that is not wanted are refused', () => {
  assert.throws(() => ofOneArchitecture([aGeneration({ bootspec: arm })], 'x86_64-linux'), {
    code: 'MIXED_ARCHITECTURES',
    message: 'expected every generation to be for x86_64-linux, got aarch64-linux (generation 1)',
  });
});

test('a specialisation for another kind of machine is refused', () => {
  const specialisations = new Map([['arm', aBootspec(arm)]]);
  assert.throws(() => ofOneArchitecture([aGeneration({ bootspec: { specialisations } })]), {
    code: 'MIXED_ARCHITECTURES',
  });
});

test('a refusal names a few of many generations', () => {
  const many = Array.from({ length: 500 }, (_, index) => aGeneration({ number: index + 1 }));
  assert.throws(() => ofOneArchitecture(many, 'riscv64-linux'), /8, 9, 10 and 490 more\)$/);
});

test('with a wanted system, generations of another one are set apart and named', () => {
  const specialisations = new Map([['arm', aBootspec(arm)]]);
  const { generations, malformed } = ofOneArchitecture(
    [
      aGeneration({ number: 3 }),
      aGeneration({ number: 2, bootspec: arm }),
      aGeneration({ number: 1, bootspec: { specialisations } }),
      aGeneration({ profile: 'work', bootspec: arm }),
    ],
    'x86_64-linux',
  );
  assert.deepEqual(
    generations.map(({ number }) => number),
    [3],
  );
  assert.deepEqual(
    malformed.map(({ profile, number, cause }) => [profile, number, cause.code]),
    [
      [undefined, 2, 'MIXED_ARCHITECTURES'],
      [undefined, 1, 'MIXED_ARCHITECTURES'],
      ['work', 1, 'MIXED_ARCHITECTURES'],
    ],
  );
  assert.match(
    malformed[1]?.cause.message ?? '',
    /specialisation "arm" expected .* "aarch64-linux"/,
  );
});

test('without a wanted system, the refusal names the option that sets the others apart', () => {
  assert.throws(
    () => ofOneArchitecture([aGeneration(), aGeneration({ number: 2, bootspec: arm })]),
    (error: { hint?: string }) => /--system/.test(error.hint ?? ''),
  );
});
