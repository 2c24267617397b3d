import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { ErrorCode } from '../../src/error.ts';
import { BOOTSPEC_LIMIT } from '../../src/generation/bootspec.ts';
import {
  compareGenerations,
  type Generation,
  type GenerationMemory,
  isMalformed,
  kernelVersion,
  type Malformed,
  readGeneration,
  versionTag,
} from '../../src/generation/generation.ts';
import { aBootspec, aGeneration, aProfiles, aRoot, aToplevel, BUILT_AT } from './a-generation.ts';
import { anyText } from './any-text.ts';

const disk = nodeDisk();

/** Makes a toplevel the only generation of a machine and reads it. */
function read(root: string, toplevel: string): Generation | Malformed {
  const profiles = aProfiles(root, [{ number: 5, toplevel }]);
  return readGeneration(disk, { number: 5, path: join(profiles, 'system-5-link') });
}

function readWhole(root: string, toplevel: string): Generation {
  const generation = read(root, toplevel);
  if (isMalformed(generation)) throw generation.cause;
  return generation;
}

function assertMalformed(generation: Generation | Malformed, code: ErrorCode, part: string): void {
  assert.ok(isMalformed(generation), `expected ${code}`);
  assert.equal(generation.cause.code, code);
  assert.ok(generation.cause.message.includes(part), generation.cause.message);
}

test('a generation is read through its link', (t) => {
  const root = aRoot(t);
  const profiles = aProfiles(root, [{ version: '6.12.58', tag: 'laptop' }]);
  const path = join(profiles, 'system-1-link');
  const { bootspec, ...rest } = readGeneration(disk, { number: 1, path }) as Generation;
  assert.deepEqual(rest, {
    profile: undefined,
    number: 1,
    link: path,
    toplevel: fs.realpathSync(path),
    builtAt: BUILT_AT,
    synthesised: false,
  });
  assert.equal(bootspec.toplevel, rest.toplevel);
  assert.equal(kernelVersion(bootspec), '6.12.58');
});

test('a generation is as old as its link, not as the system it leads to', (t) => {
  const root = aRoot(t);
  const toplevel = aToplevel(root);
  fs.utimesSync(toplevel, 1, 1);
  assert.equal(readWhole(root, toplevel).builtAt, BUILT_AT + 4 * 86_400);
});

test('the link says which system it is, boot.json says what boots', (t) => {
  const root = aRoot(t);
  const inner = aToplevel(root);
  const wrapper = join(root, 'nix/store/wrapper');
  fs.mkdirSync(wrapper);
  fs.symlinkSync(join(inner, 'boot.json'), join(wrapper, 'boot.json'));
  const { toplevel, bootspec } = readWhole(root, wrapper);
  assert.equal(toplevel, wrapper);
  assert.equal(bootspec.init, join(inner, 'init'));
});

/** Every way a generation may be broken that a person has to tell from the others. */
const damages: Readonly<
  Record<string, { damage(root: string): string; code: ErrorCode; part: string }>
> = {
  'leads nowhere': {
    damage: (root) => join(root, 'nix/store/gone'),
    code: 'GENERATION_BROKEN',
    part: 'system-5-link: expected a system, got nothing',
  },
  'leads to itself': {
    damage: () => 'system-5-link',
    code: 'GENERATION_BROKEN',
    part: 'system-5-link: expected a system, got nothing',
  },
  'leads to a file': {
    damage: (root) => join(aToplevel(root), 'init'),
    code: 'GENERATION_BROKEN',
    part: 'expected a file or directory, got nothing',
  },
  'has no kernel': {
    damage: (root) => damaged(aToplevel(root), 'kernel', (path) => fs.rmSync(path)),
    code: 'GENERATION_BROKEN',
    part: '/bzImage: expected a file with content, got none',
  },
  'has an empty initrd': {
    damage: (root) => damaged(aToplevel(root), 'initrd', empty),
    code: 'GENERATION_BROKEN',
    part: '/initrd: expected a file with content, got none',
  },
  'has a directory for an init': {
    damage: (root) =>
      damaged(aToplevel(root), 'init', (path) => {
        fs.rmSync(path);
        fs.mkdirSync(path);
      }),
    code: 'GENERATION_BROKEN',
    part: '/init: expected a file with content, got none',
  },
  'has lost its secrets program': {
    damage: (root) =>
      damaged(aToplevel(root, { secrets: 'true' }), 'append-initrd-secrets', (path) =>
        fs.rmSync(path),
      ),
    code: 'GENERATION_BROKEN',
    part: 'initrdSecrets /',
  },
  'has a specialisation without its kernel': {
    damage: (root) => {
      const toplevel = aToplevel(root, { specialisations: { rt: { version: '6.12.58-rt14' } } });
      return damaged(toplevel, 'specialisation/rt/kernel', (path) => fs.rmSync(path));
    },
    code: 'GENERATION_BROKEN',
    part: '-linux-6.12.58-rt14/bzImage: expected a file with content, got none',
  },
  'has an empty boot.json': {
    damage: (root) => aToplevel(root, { bootJson: '' }),
    code: 'BOOTSPEC_MALFORMED',
    part: '/boot.json: expected JSON',
  },
  'has a boot.json that is a dangling link': {
    damage: (root) =>
      damaged(aToplevel(root), 'boot.json', (path) => {
        fs.rmSync(path);
        fs.symlinkSync('/nonexistent', path.replace(/[^/]+$/, 'boot.json'));
      }),
    code: 'FILE_MISSING',
    part: '/boot.json',
  },
  'has a boot.json in Latin-1': {
    damage: (root) =>
      damaged(aToplevel(root), 'boot.json', (path) =>
        fs.writeFileSync(path, Uint8Array.of(0x22, 0xe4, 0x22)),
      ),
    code: 'BOOTSPEC_MALFORMED',
    part: '/boot.json: expected UTF-8',
  },
  'has a boot.json without end': {
    damage: (root) =>
      damaged(aToplevel(root), 'boot.json', (path) => fs.truncateSync(path, BOOTSPEC_LIMIT + 1)),
    code: 'FILE_TOO_LARGE',
    part: '/boot.json',
  },
  'has a bootspec of the future': {
    damage: (root) => aToplevel(root, { bootJson: '{"org.nixos.bootspec.v2":{}}' }),
    code: 'BOOTSPEC_UNSUPPORTED',
    part: 'got only "org.nixos.bootspec.v2"',
  },
};

/** Damages what a file of a toplevel really is, and returns the toplevel. */
function damaged(toplevel: string, name: string, damage: (path: string) => void): string {
  damage(fs.realpathSync(join(toplevel, name)));
  return toplevel;
}

function empty(path: string): void {
  fs.truncateSync(path, 0);
}

for (const [what, { damage, code, part }] of Object.entries(damages)) {
  test(`a generation that ${what} is set apart with ${code}`, (t) => {
    const root = aRoot(t);
    assertMalformed(read(root, damage(root)), code, part);
  });
}

test('a generation that was found whole is not looked at again while its link is the same', (t) => {
  const root = aRoot(t);
  const path = join(aProfiles(root, [{}, {}]), 'system-1-link');
  const memory: GenerationMemory = new Map();
  const followed: string[] = [];
  const realPath = (link: string) => {
    followed.push(link);
    return disk.realPath(link);
  };
  const again = () => readGeneration({ ...disk, realPath }, { number: 1, path }, memory);
  const first = again();
  assert.equal(again(), first);
  assert.deepEqual(followed, [path], 'followed once');

  const other = fs.realpathSync(join(root, 'nix/var/nix/profiles/system-2-link'));
  fs.rmSync(path);
  fs.symlinkSync(other, path);
  const changed = again();
  assert.ok(!isMalformed(changed) && changed.toplevel === other, 'another link is followed');
});

test('a generation that is broken is looked at again every time', (t) => {
  const root = aRoot(t);
  const path = join(aProfiles(root, [{}]), 'system-1-link');
  const kernel = join(path, 'kernel');
  const memory: GenerationMemory = new Map();
  const content = fs.readFileSync(kernel);
  const file = fs.realpathSync(kernel);
  fs.rmSync(file);
  assertMalformed(readGeneration(disk, { number: 1, path }, memory), 'GENERATION_BROKEN', 'kernel');
  fs.writeFileSync(file, content);
  assert.ok(!isMalformed(readGeneration(disk, { number: 1, path }, memory)));
});

test('a bug is not mistaken for a broken generation', (t: TestContext) => {
  const profiles = aProfiles(aRoot(t), [{}]);
  const buggy = {
    ...disk,
    realPath(): string {
      throw new TypeError('a bug');
    },
  };
  const link = { number: 1, path: join(profiles, 'system-1-link') };
  assert.throws(() => readGeneration(buggy, link), /a bug/);
});

test('a generation without initrd is whole', (t) => {
  const root = aRoot(t);
  assert.equal(readWhole(root, aToplevel(root, { initrd: null })).bootspec.initrd, undefined);
});

test('the kernel version is what follows the last dash of its directory', () => {
  const version = (directory: string) =>
    kernelVersion({ kernel: `/nix/store/${directory}/bzImage` });
  assert.equal(version('abc-linux-6.12.58'), '6.12.58');
  assert.equal(version('abc-linux-6.19-rc4'), 'rc4');
  assert.equal(version('abc-linux-6.6.1+git~1/'), 'unknown');
  assert.equal(version('plain'), 'plain');
  assert.equal(kernelVersion({ kernel: '/bzImage' }), 'unknown');
});

test('a kernel version is always fit for a file name', () => {
  fc.assert(
    fc.property(anyText(), (name) => {
      assert.match(kernelVersion({ kernel: `/nix/store/${name}/k` }), /^[A-Za-z0-9._+]{1,32}$/);
    }),
  );
});

test('the version tag names generation, specialisation and day', () => {
  const generation = { number: 5, builtAt: BUILT_AT + 86_399 };
  assert.equal(versionTag(generation), 'Generation 5, 2026-11-20');
  assert.equal(versionTag(generation, 'gaming'), 'Generation 5-gaming, 2026-11-20');
});

test('the version tag holds no control characters, whatever a specialisation is called', () => {
  assert.equal(
    versionTag(aGeneration(), 'a\nb\u001b[2J\u202e\ud800c'),
    'Generation 1-ab[2Jc, 2026-11-20',
  );
  fc.assert(
    fc.property(anyText(300), (name) => {
      const tag = versionTag(aGeneration(), name);
      assert.doesNotMatch(tag, /\p{Cc}/u);
      assert.ok(tag.length < 150 && tag.isWellFormed());
    }),
  );
});

test('a link from the far future has a date of four digits', (t) => {
  const root = aRoot(t);
  const profiles = aProfiles(root, [{}]);
  const path = join(profiles, 'system-1-link');
  const late = {
    ...disk,
    linkStat: (asked: string) => {
      const stat = disk.linkStat(asked);
      return stat && { ...stat, modified: Number.MAX_SAFE_INTEGER };
    },
  };
  const generation = readGeneration(late, { number: 1, path });
  assert.ok(!isMalformed(generation));
  assert.equal(versionTag(generation), 'Generation 1, 9999-12-31');
});

test('the system profile comes first, and newer generations before older ones', () => {
  const sorted = [
    { profile: 'b', number: 1 },
    { number: 2 },
    { profile: 'a', number: 9 },
    { number: 10 },
    { profile: 'a', number: 10 },
  ].sort(compareGenerations);
  assert.deepEqual(
    sorted.map(({ profile, number }) => `${profile ?? 'system'}-${number}`),
    ['system-10', 'system-2', 'a-10', 'a-9', 'b-1'],
  );
});

test('the builder in memory states a bootspec that a document could hold', () => {
  const { toplevel, bootspec } = aGeneration({ number: 3, bootspec: { label: 'mine' } });
  assert.deepEqual(bootspec, aBootspec({ toplevel, label: 'mine' }));
});
