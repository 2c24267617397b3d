import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  appendVerity,
  type DeviceOptions,
  rootHashesOnCmdline,
  verityWords,
} from '../../src/verity/cmdline.ts';
import { run } from '../lab/run.ts';
import { aDirectory } from './a-directory.ts';

const HEX = 'e287a112b368010413434ffd26b21be2bf3cabb3c6cbf2f5b0d9a451a84579ed';
const OTHER = HEX.replace('e', 'f');
const usr: DeviceOptions = { designator: 'usr', rootHash: HEX };

describe('the words for a device', () => {
  const cases: readonly (readonly [string, Partial<DeviceOptions>, readonly string[]])[] = [
    ['are the root hash alone where the layout is the discoverable one', {}, [`usrhash=${HEX}`]],
    [
      'have the root hash in lower case',
      { designator: 'root', rootHash: HEX.toUpperCase() },
      [`roothash=${HEX}`],
    ],
    [
      'name one partition twice where the hash area lies behind the data',
      { hashOffset: 1_228_800, onCorruption: 'panic' },
      [
        `usrhash=${HEX}`,
        'systemd.verity_usr_data=PARTUUID=e287a112-b368-0104-1343-4ffd26b21be2',
        'systemd.verity_usr_hash=PARTUUID=e287a112-b368-0104-1343-4ffd26b21be2',
        'systemd.verity_usr_options=hash-offset=1228800,panic-on-corruption',
      ],
    ],
    [
      'name the devices that are given',
      { designator: 'root', data: '/dev/vda2', hash: 'LABEL=hash', hashOffset: 0 },
      [
        `roothash=${HEX}`,
        'systemd.verity_root_data=/dev/vda2',
        'systemd.verity_root_hash=LABEL=hash',
        'systemd.verity_root_options=hash-offset=0',
      ],
    ],
    [
      'carry every option',
      {
        dataBlocks: 42,
        onCorruption: 'ignore',
        ignoreZeroBlocks: true,
        checkAtMostOnce: true,
        rootHashSignature: 'auto',
        others: ['fec-roots=2'],
      },
      [
        `usrhash=${HEX}`,
        'systemd.verity_usr_options=data-blocks=42,ignore-corruption,ignore-zero-blocks,check-at-most-once,root-hash-signature=auto,fec-roots=2',
      ],
    ],
  ];
  for (const [promise, options, expected] of cases) {
    test(promise, () => assert.deepEqual(verityWords({ ...usr, ...options }), expected));
  }

  for (const bad of [
    { rootHash: 'beef' },
    { data: '/dev/disk/by-label/a b' },
    { hash: '' },
    { rootHashSignature: '/a,b' },
    { others: ['fec-roots=2 init=/bin/sh'] },
    { others: ['a\nb'] },
  ]) {
    test(`are refused with ${JSON.stringify(bad)}`, () => {
      assert.throws(() => verityWords({ ...usr, ...bad }), { code: 'CONFIG_INVALID' });
    });
  }

  const generator = '/lib/systemd/system-generators/systemd-veritysetup-generator';
  const skip = !existsSync(generator) && `needs ${generator}, of systemd`;
  const what = 'are understood by systemd-veritysetup-generator as they are meant';
  test(what, { skip }, (t) => {
    const attached = (options: Partial<DeviceOptions>) => {
      const units = aDirectory(t)('');
      const cmdline = verityWords({ ...usr, ...options }).join(' ');
      run(generator, [units, units, units], { env: { SYSTEMD_PROC_CMDLINE: cmdline } });
      const unit = readFileSync(`${units}/systemd-veritysetup@usr.service`, 'utf8');
      return /^ExecStart=\S+ attach (.*)$/m.exec(unit)?.[1];
    };
    const [data, hash] = [
      '/dev/disk/by-partuuid/e287a112-b368-0104-1343-4ffd26b21be2',
      '/dev/disk/by-partuuid/bf3cabb3-c6cb-f2f5-b0d9-a451a84579ed',
    ];
    assert.equal(attached({}), `'usr' '${data}' '${hash}' '${HEX}' ''`);
    assert.equal(
      attached({ hashOffset: 4096, onCorruption: 'restart' }),
      `'usr' '${data}' '${data}' '${HEX}' 'hash-offset=4096,restart-on-corruption'`,
    );
    assert.equal(
      attached({ data: '/dev/vda2', hash: '/dev/vda3', rootHashSignature: '/usr.p7s' }),
      `'usr' '/dev/vda2' '/dev/vda3' '${HEX}' 'root-hash-signature=/usr.p7s'`,
    );
  });
});

describe('a command line', () => {
  const words = verityWords({ ...usr, onCorruption: 'panic' });

  test('gets the words behind what it says, and gets them once', () => {
    const once = appendVerity('init=/init quiet', words);
    assert.equal(once, ['init=/init quiet', ...words].join(' '));
    assert.equal(appendVerity(once, words), once);
    assert.equal(appendVerity('', words), words.join(' '));
    const upper = `rd.usrhash=${HEX.toUpperCase()} systemd.verity-usr-options=panic-on-corruption`;
    assert.equal(appendVerity(upper, words), upper);
  });

  test('that says another hash is refused, naming both', () => {
    assert.throws(() => appendVerity(`quiet usrhash=${OTHER}`, words), {
      code: 'CONFIG_INVALID',
      message: `command line: expected usrhash=${HEX}, got usrhash=${OTHER}`,
    });
    assert.throws(() => appendVerity('systemd.verity_usr_options=ignore-corruption', words), {
      message:
        'command line: expected systemd.verity_usr_options=panic-on-corruption, got systemd.verity_usr_options=ignore-corruption',
    });
  });

  test('with a hash for the other file system is no contradiction', () => {
    const both = appendVerity(`roothash=${OTHER}`, words);
    assert.deepEqual(rootHashesOnCmdline(both), { root: OTHER, usr: HEX });
  });

  test('has no hash inside another word, in quotes or not', () => {
    assert.deepEqual(rootHashesOnCmdline(`x="a usrhash=${HEX}" myusrhash=1 -- a=roothash=2`), {});
    assert.deepEqual(rootHashesOnCmdline(`"usrhash=${HEX}" usrhash=${OTHER}`), { usr: OTHER });
  });

  test('has the hash of a word that is in quotes as a whole', () => {
    assert.deepEqual(rootHashesOnCmdline(`quiet "usrhash=${HEX}"`), { usr: HEX });
    assert.deepEqual(rootHashesOnCmdline(`usrhash="${HEX}"`), { usr: HEX });
  });

  test('of any text is read in time, and what was appended is found in it', () => {
    const text = fc.string({ unit: fc.constantFrom(...'" =ausrhs-\t\n\\'), maxLength: 300 });
    fc.assert(
      fc.property(text, (cmdline) => {
        rootHashesOnCmdline(cmdline);
        if ((cmdline.split('"').length - 1) % 2 === 1) return;
        const appended = appendVerity(cmdline.replaceAll('usrhash', ''), words);
        assert.equal(rootHashesOnCmdline(appended).usr, HEX);
      }),
      { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });
});
