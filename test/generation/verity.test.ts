import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { isMalformed, readGeneration } from '../../src/generation/generation.ts';
import { VERITY } from '../../src/generation/verity.ts';
import { aProfiles, aRoot, type ToplevelShape } from './a-generation.ts';

const HASH = 'a0'.repeat(32);
const OTHER = 'b1'.repeat(32);

interface Said {
  readonly shape?: ToplevelShape;
  /** The content of `verity.json`. */
  readonly file?: unknown;
}

/** Reads the one generation of a machine. */
function read(t: TestContext, { shape = {}, file }: Said) {
  const root = aRoot(t);
  const path = join(aProfiles(root, [{ kernelParams: ['quiet'], ...shape }]), 'system-1-link');
  if (file !== undefined) {
    fs.writeFileSync(join(fs.realpathSync(path), 'verity.json'), JSON.stringify(file));
  }
  return readGeneration(nodeDisk(), { number: 1, path });
}

function parameters(t: TestContext, said: Said): readonly string[] {
  const generation = read(t, said);
  if (isMalformed(generation)) throw generation.cause;
  return generation.bootspec.kernelParams;
}

test('the extension of a bootspec puts its root hash behind the kernel parameters', (t) => {
  const extensions = { [VERITY]: { usr: { rootHash: HASH.toUpperCase() } } };
  assert.deepEqual(parameters(t, { shape: { extensions } }), ['quiet', `usrhash=${HASH}`]);
});

test('a file in the toplevel says the same, for both file systems and with options', (t) => {
  const usr = { rootHash: HASH, hashOffset: 4096, onCorruption: 'panic' };
  const file = { root: { rootHash: OTHER }, usr };
  const device = 'PARTUUID=a0a0a0a0-a0a0-a0a0-a0a0-a0a0a0a0a0a0';
  assert.deepEqual(parameters(t, { file }), [
    'quiet',
    `roothash=${OTHER}`,
    `usrhash=${HASH}`,
    `systemd.verity_usr_data=${device}`,
    `systemd.verity_usr_hash=${device}`,
    'systemd.verity_usr_options=hash-offset=4096,panic-on-corruption',
  ]);
});

test('what the kernel parameters say already is not said twice', (t) => {
  const kernelParams = [`usrhash=${HASH}`, 'quiet'];
  const extensions = { [VERITY]: { usr: { rootHash: HASH } } };
  const file = { usr: { rootHash: HASH } };
  assert.deepEqual(parameters(t, { shape: { kernelParams, extensions }, file }), kernelParams);
});

test('a specialisation has what is said for it, and nothing of its parent', (t) => {
  const root = aRoot(t);
  const shape = { extensions: { [VERITY]: { usr: { rootHash: HASH } } } };
  const child = { extensions: { [VERITY]: { usr: { rootHash: OTHER } } } };
  const profiles = aProfiles(root, [{ ...shape, specialisations: { other: child } }]);
  const generation = readGeneration(nodeDisk(), {
    number: 1,
    path: join(profiles, 'system-1-link'),
  });
  assert.ok(!isMalformed(generation));
  const other = generation.bootspec.specialisations.get('other');
  assert.equal(other?.kernelParams.at(-1), `usrhash=${OTHER}`);
});

const wrongs: readonly (readonly [what: string, said: Said, message: RegExp])[] = [
  [
    'contradicts the kernel parameters',
    { shape: { kernelParams: [`usrhash=${OTHER}`] }, file: { usr: { rootHash: HASH } } },
    /verity\.json: command line: expected usrhash=a0.*, got usrhash=b1/,
  ],
  [
    'contradicts the extension',
    {
      shape: { extensions: { [VERITY]: { usr: { rootHash: OTHER } } } },
      file: { usr: { rootHash: HASH } },
    },
    /expected usrhash=a0.*, got usrhash=b1/,
  ],
  ['holds no root hash', { file: { usr: {} } }, /verity\.json: \$\.usr\.rootHash: missing/],
  [
    'holds another root hash than one',
    { file: { usr: { rootHash: 'abc' } } },
    /\$\.usr\.rootHash: expected a root hash in hexadecimal, got "abc"/,
  ],
  [
    'says what nobody knows',
    { file: { usr: { rootHash: HASH, panic: true } } },
    /\$\.usr\.panic: unknown key/,
  ],
  [
    'would break the command line',
    { file: { usr: { rootHash: HASH, data: 'a b' } } },
    /usr data: expected no blanks/,
  ],
  ['is no object', { file: [] }, /verity\.json: \$: expected object, got array/],
];
for (const [what, said, message] of wrongs) {
  test(`a generation whose document ${what} is broken`, (t) => {
    const generation = read(t, said);
    assert.ok(isMalformed(generation));
    assert.equal(generation.cause.code, 'BOOTSPEC_MALFORMED');
    assert.match(generation.cause.message, message);
  });
}
