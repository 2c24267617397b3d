import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as v from 'valibot';
import { bootProfiles, inspectedImage } from '../../src/uki/boot-profile.ts';
import { compareRootHashes, describeMismatch } from '../../src/uki/verity-match.ts';
import type { RootHash } from '../../src/verity/root-hash.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const usr = (hex: string): RootHash => ({ hex, designator: 'usr', architecture: 'x86-64' });
const root = (hex: string): RootHash => ({ hex, designator: 'root', architecture: 'x86-64' });

const section = (text: string) => ({ size: text.length, sha256: '', text });
const profilesOf = (image: unknown) => bootProfiles(v.parse(inspectedImage, image));

describe('the profiles of an image', () => {
  test('an image without profiles has one command line, or none', () => {
    assert.deepEqual(profilesOf({ '.cmdline': section('a') }), [
      { name: 'the image', cmdline: 'a' },
    ]);
    assert.deepEqual(profilesOf({}), [{ name: 'the image', cmdline: undefined }]);
  });

  test('a profile without a command line has that of the base', () => {
    const image = {
      '.cmdline': section('base'),
      _profiles: [
        { '.profile': section('ID=main\nTITLE=Main') },
        { '.profile': section('TITLE=Debug'), '.cmdline': section('debug') },
      ],
    };
    assert.deepEqual(profilesOf(image), [
      { name: 'profile 0 (main)', cmdline: 'base' },
      { name: 'profile 1', cmdline: 'debug' },
    ]);
  });

  test('of two sections of one name the first counts, as it does for the stub', () => {
    assert.equal(profilesOf({ '.cmdline': [section('a'), section('b')] })[0]?.cmdline, 'a');
  });

  test('a command line that cannot be shown is none', () => {
    assert.equal(profilesOf({ '.cmdline': { size: 1, sha256: '' } })[0]?.cmdline, undefined);
    assert.equal(profilesOf({ '.cmdline': [] })[0]?.cmdline, undefined);
  });
});

describe('a command line and the partitions', () => {
  const cases: readonly (readonly [string | undefined, readonly RootHash[], readonly string[]])[] =
    [
      [`init=/x usrhash=${A} quiet`, [usr(A)], []],
      [`usrhash=${A.toUpperCase()}`, [usr(A)], []],
      [`roothash=${A} usrhash=${B}`, [usr(B), root(A)], []],
      [`usrhash=${B}`, [usr(A), usr(B)], []],
      [undefined, [usr(A)], ['p: has no .cmdline']],
      ['quiet', [usr(A)], [`p: expected usrhash=${A}, got no usrhash=`]],
      ['quiet', [], ['p: names no root hash, and neither do the partitions']],
      [`usrhash=${B}`, [usr(A)], [`p: expected usrhash=${A}, got usrhash=${B}`]],
      ['usrhash=', [usr(A)], [`p: expected usrhash=${A}, got usrhash=`]],
      [`usrhash=${A} usrhash=${B}`, [usr(A)], [`p: expected usrhash=${A}, got usrhash=${B}`]],
      [
        `roothash=${A}`,
        [usr(A), usr(B)],
        [
          `p: names roothash=${A}, and no partition for root has a known root hash`,
          `p: expected usrhash=${A} or usrhash=${B}, got no usrhash=`,
        ],
      ],
      [
        `usrhash=${A}`,
        [],
        [`p: names usrhash=${A}, and no partition for usr has a known root hash`],
      ],
      [
        `roothash=${B} usrhash=${A}`,
        [root(A), usr(B)],
        [
          `p: expected roothash=${A}, got roothash=${B}`,
          `p: expected usrhash=${B}, got usrhash=${A}`,
        ],
      ],
    ];
  for (const [cmdline, partitions, expected] of cases) {
    const short = (text: string) => text.replaceAll(A, 'A').replaceAll(B, 'B');
    const disk = partitions.map(({ designator, hex }) => short(`${designator}=${hex}`)).join(' ');
    test(`${short(cmdline ?? 'nothing')} on a disk with ${disk || 'none'}`, () => {
      const mismatches = compareRootHashes([{ name: 'p', cmdline }], partitions);
      assert.deepEqual(mismatches.map(describeMismatch), expected);
    });
  }
});
