/** Nix profiles as a source: what it reads, what changes it, and where a person's pins are. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { GenerationSource } from '../../src/generation/source.ts';
import { openSource } from '../../src/generation/sources.ts';
import { aProfiles, aRoot } from './a-generation.ts';

type Shapes = Parameters<typeof aProfiles>[1];

/** A source over profiles on a real file system, and their directories. */
interface Opened {
  readonly source: GenerationSource;
  readonly profiles: string;
  readonly pins: string;
}

function aSource(t: TestContext, shapes: Shapes): Opened {
  const root = aRoot(t);
  const profiles = aProfiles(root, shapes);
  const pins = join(root, 'pins');
  return {
    profiles,
    pins,
    source: openSource({ profiles: [profiles], 'state-dir': '/state', pins }, nodeDisk()),
  };
}

function pin(
  { source, profiles }: Opened,
  name: string,
  shape: { profile?: string; number: number },
): void {
  const link = source.pinOf({ profile: shape.profile, number: shape.number });
  fs.mkdirSync(join(link, '..'), { recursive: true });
  fs.symlinkSync(fs.realpathSync(join(profiles, name)), link);
}

test('a source has every generation, the broken ones apart, and what their profiles call current', (t) => {
  const { source, profiles } = aSource(t, [{}, { bootJson: '{' }, {}, { profile: 'work' }]);
  const { generations, malformed, current, pinned } = source.read();
  assert.deepEqual(
    generations.map(({ profile, number }) => [profile, number]),
    [
      [undefined, 3],
      [undefined, 1],
      ['work', 1],
    ],
  );
  assert.deepEqual(
    malformed.map(({ number }) => number),
    [2],
  );
  const real = (name: string) => fs.realpathSync(join(profiles, name));
  assert.deepEqual(current, [real('system'), real('system-profiles/work')]);
  assert.deepEqual(source.current(), current);
  assert.equal(pinned.size, 0);
});

test('a current system that is gone is told as its link, and not as none', (t) => {
  const { source, profiles } = aSource(t, [{}, { toplevel: '/nonexistent' }]);
  assert.deepEqual(source.current(), [join(profiles, 'system-2-link')]);
  fs.rmSync(join(profiles, 'system'));
  fs.symlinkSync('../profiles/./system-2-link', join(profiles, 'system'));
  assert.deepEqual(source.current(), [join(profiles, 'system-2-link')]);
});

test('a pin reads as a generation once its profile has it no longer', (t) => {
  const opened = aSource(t, [{}, {}, { profile: 'work' }, { profile: 'work' }]);
  const { source, profiles } = opened;
  pin(opened, 'system-1-link', { number: 1 });
  pin(opened, 'system-profiles/work-1-link', { profile: 'work', number: 1 });
  const before = source.read();
  assert.equal(before.generations.length, 4);
  assert.deepEqual(source.pinned(), [...before.pinned]);
  fs.rmSync(join(profiles, 'system-1-link'));
  fs.rmSync(join(profiles, 'system-profiles/work-1-link'));
  const after = source.read();
  assert.deepEqual(
    after.generations.map(({ toplevel }) => toplevel),
    before.generations.map(({ toplevel }) => toplevel),
  );
  assert.deepEqual(after.pinned, before.pinned);
});

test('the link of one generation is a source of it alone, and calls nothing current', (t) => {
  const { profiles, pins } = aSource(t, [{}, {}]);
  const link = join(profiles, 'system-1-link');
  const source = openSource({ profiles: [link], 'state-dir': '/state', pins }, nodeDisk());
  const { generations, current } = source.read();
  assert.deepEqual([generations.map(({ number }) => number), current], [[1], []]);
  assert.deepEqual(source.watched(), [profiles, pins, join(pins, 'system-profiles')]);
});

test('what is neither a directory of profiles nor a link is refused', (t) => {
  const { pins } = aSource(t, [{}]);
  const source = openSource(
    { profiles: ['/nonexistent'], 'state-dir': '/state', pins },
    nodeDisk(),
  );
  for (const ask of [() => source.read(), () => source.current()]) {
    assert.throws(ask, { code: 'CONFIG_INVALID' });
  }
  assert.equal(typeof source.fingerprint(), 'string');
});

test('the fingerprint changes with a generation, with what is current and with a pin, and with nothing else', (t) => {
  const opened = aSource(t, [{}, {}]);
  const { source, profiles } = opened;
  const changes: readonly (readonly [string, () => void])[] = [
    ['a generation less', () => fs.rmSync(join(profiles, 'system-1-link'))],
    [
      'another current one',
      () => {
        fs.rmSync(join(profiles, 'system'));
        fs.symlinkSync('system-2-link', join(profiles, 'system'));
      },
    ],
    ['a pin', () => pin(opened, 'system-2-link', { number: 2 })],
  ];
  for (const [what, change] of changes) {
    const before = source.fingerprint();
    fs.writeFileSync(join(profiles, 'note'), what);
    assert.equal(source.fingerprint(), before, what);
    change();
    assert.notEqual(source.fingerprint(), before, what);
  }
});

test('every directory is watched in which a generation or a pin may appear', (t) => {
  const { source, profiles, pins } = aSource(t, [{}]);
  const named = (directory: string) => join(directory, 'system-profiles');
  assert.deepEqual(source.watched(), [profiles, named(profiles), pins, named(pins)]);
});
