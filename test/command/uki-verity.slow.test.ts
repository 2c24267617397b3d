/** `uki build --verity`: from every source of a root hash to the command lines of an image. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countingBytes } from '../pe/a-pe.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);

const row = (type: string, roothash: string | null) => ({ type, uuid: `${type}-1`, roothash });
const repart = (...rows: readonly unknown[]) => JSON.stringify(rows);

/** Builds with a command line, and returns the one that the image has. */
async function cmdlineOf(
  bench: Workbench,
  ...args: readonly string[]
): Promise<string | undefined> {
  const { error } = await bench.build('--cmdline', 'init=/x quiet', ...args);
  assert.equal(error, undefined, error?.message);
  return (await bench.texts())['.cmdline'];
}

describe('a root hash goes behind the kernel parameters', () => {
  test('given in hexadecimal', async (t) => {
    const bench = aWorkbench(t);
    const cmdline = await cmdlineOf(bench, '--verity', A.toUpperCase(), '--verity-of', 'root');
    assert.equal(cmdline, `init=/x quiet roothash=${A}`);
  });

  test('in a file of its own, of repart and of veritysetup', async (t) => {
    const bench = aWorkbench(t);
    const plain = bench.put('usr.roothash', `${A}\n`);
    const usr = ['--verity-of', 'usr'];
    assert.equal(await cmdlineOf(bench, '--verity', plain, ...usr), `init=/x quiet usrhash=${A}`);
    const rows = bench.put('repart.json', repart(row('esp', null), row('usr-x86-64-verity', A)));
    assert.equal(await cmdlineOf(bench, '--verity', rows), `init=/x quiet usrhash=${A}`);
    const signature = { rootHash: A, certificateFingerprint: B, signature: 'AAAA' };
    const signed = bench.put('sig', `${JSON.stringify(signature)}${'\0'.repeat(99)}`);
    assert.equal(await cmdlineOf(bench, '--verity', signed, ...usr), `init=/x quiet usrhash=${A}`);
  });

  test('of root and of usr, when several runs of repart know both', async (t) => {
    const bench = aWorkbench(t);
    const types = ['usr-x86-64-verity', 'root-x86-64-verity'];
    const first = bench.put('1', repart(row(types[0] ?? '', A), row(types[1] ?? '', 'TBD')));
    const second = bench.put('2', repart(row(types[0] ?? '', 'TBD'), row(types[1] ?? '', B)));
    const both = ['--verity', first, '--verity', second];
    assert.equal(await cmdlineOf(bench, ...both), `init=/x quiet roothash=${B} usrhash=${A}`);
    const one = await cmdlineOf(bench, ...both, '--verity-of', 'root');
    assert.equal(one, `init=/x quiet roothash=${B}`);
  });

  test('of data that are hashed anew, with the hash area behind them or elsewhere', async (t) => {
    const bench = aWorkbench(t);
    const data = bench.put('usr.erofs', countingBytes(40 * 4096));
    const elsewhere = bench.path('usr.verity');
    const format = (...args: readonly string[]) =>
      bench.run(['verity', 'format', ...args, '--json']);
    const { rootHash } = JSON.parse((await format(data, elsewhere)).output);
    const source = ['--verity', data, '--verity-of', 'usr'];
    const cmdline = await cmdlineOf(bench, ...source, '--verity-hash-area', elsewhere);
    assert.equal(cmdline, `init=/x quiet usrhash=${rootHash}`);

    const offset = ['--hash-offset', '163840', '--data-blocks', '40'];
    const behind = JSON.parse((await format(data, data, ...offset)).output).rootHash;
    const embedded = ['--verity-hash-area', data, '--verity-hash-offset', '163840'];
    const uuid = [8, 12, 16, 20].reduceRight(
      (text, at) => `${text.slice(0, at)}-${text.slice(at)}`,
      behind.slice(0, 32),
    );
    assert.equal(
      await cmdlineOf(bench, ...source, ...embedded),
      [
        `init=/x quiet usrhash=${behind}`,
        `systemd.verity_usr_data=PARTUUID=${uuid}`,
        `systemd.verity_usr_hash=PARTUUID=${uuid}`,
        'systemd.verity_usr_options=hash-offset=163840',
      ].join(' '),
    );

    const other = bench.put('other.erofs', countingBytes(40 * 4096).reverse());
    const wrong = ['--verity', other, '--verity-of', 'usr', '--verity-hash-area', elsewhere];
    const { error } = await bench.build(...wrong);
    assert.match(error?.message ?? '', /other\.erofs: corrupt at byte 0/);
  });

  test('with the devices and options of a layout of its own', async (t) => {
    const bench = aWorkbench(t);
    const cmdline = await cmdlineOf(
      bench,
      ...['--verity', A, '--verity-of', 'root', '--verity-data-device', '/dev/vda2'],
      ...['--verity-hash-device', 'LABEL=h', '--verity-hash-offset', '512'],
      ...['--verity-data-blocks', '9', '--verity-on-corruption', 'panic'],
      ...['--verity-signature', 'auto', '--verity-option', 'check-at-most-once'],
    );
    const options =
      'hash-offset=512,data-blocks=9,panic-on-corruption,root-hash-signature=auto,check-at-most-once';
    assert.equal(
      cmdline,
      `init=/x quiet roothash=${A} systemd.verity_root_data=/dev/vda2 systemd.verity_root_hash=LABEL=h systemd.verity_root_options=${options}`,
    );
  });

  test('once: what is there already stays, and a command line from a file stays one line', async (t) => {
    const bench = aWorkbench(t);
    const file = bench.put('cmdline', 'init=/x\n');
    for (const [given, expected] of [
      [`@${file}`, `init=/x usrhash=${A}`],
      [`usrhash=${A} init=/x`, `usrhash=${A} init=/x`],
      ['', `usrhash=${A}`],
    ] as const) {
      await bench.build('--verity', A, '--verity-of', 'usr', '--cmdline', given);
      assert.equal((await bench.texts())['.cmdline'], expected);
    }
  });

  test('on every profile that has a command line of its own, so that uki verify passes', async (t) => {
    const bench = aWorkbench(t);
    const profile = ['--profile', 'ID=debug', '--output', bench.path('debug.efi')];
    await bench.build(...profile, '--cmdline', 'debug');
    const rows = bench.put('repart.json', repart(row('usr-x86-64-verity', A)));
    const image = bench.path('out.efi');
    const joined = ['--join-profile', bench.path('debug.efi'), '--cmdline', 'quiet'];
    await bench.build(...joined);
    assert.equal((await bench.try(['verify', image, '--repart', rows])).status, 1);
    await bench.build(...joined, '--verity', rows);
    assert.equal((await bench.try(['verify', image, '--repart', rows])).status, 0);
  });
});

describe('refused', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a hash that nobody says the use of', ['--verity', A], /give --verity-of/],
    ['a source that is not there', ['--verity', '/none'], /\/none does not exist/],
    ['a source of something else', ['--verity', 'FILE'], /expected a root hash, output of/],
    [
      'another hash on the command line',
      ['--verity', A, '--verity-of', 'usr', '--cmdline', `usrhash=${B}`],
      new RegExp(`expected usrhash=${A}, got usrhash=${B}`),
    ],
    [
      'two hashes for one',
      ['--verity', A, '--verity', B, '--verity-of', 'usr'],
      /expected one root/,
    ],
    ['options without a hash', ['--verity-of', 'usr'], /^--verity-of: it is for --verity/],
    ['other options without a hash', ['--verity-option', 'x'], /^--verity-option: it is for/],
    ['runs that know no hash', ['--verity', 'TBD'], /no partition in it has a known root hash/],
    [
      'a profile that would hide the command line of its base',
      ['--verity', A, '--verity-of', 'usr', '--profile', 'ID=x'],
      /a profile without --cmdline has its base’s/,
    ],
  ];
  for (const [name, args, message] of cases) {
    test(name, async (t) => {
      const bench = aWorkbench(t);
      const named: Readonly<Record<string, string>> = {
        FILE: bench.path('initrd'),
        TBD: bench.put('tbd.json', repart(row('usr-x86-64-verity', 'TBD'))),
      };
      const { status, error } = await bench.build(...args.map((word) => named[word] ?? word));
      assert.notEqual(status, 0);
      assert.match(error?.message ?? '', message);
    });
  }
});
