/** `uki verify`: an image, or what ukify tells of one, against the output of systemd-repart. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, test } from 'node:test';
import { aWorkbench, type Workbench } from './a-uki.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const A = 'a1'.repeat(32);
const B = 'b2'.repeat(32);

/** Rows of systemd-repart for a /usr with its hash partition. */
function rows(roothash: string | null | undefined): string {
  const of = roothash === undefined ? {} : { roothash };
  return JSON.stringify([
    { type: 'esp', uuid: '1', roothash: null },
    { type: 'usr-x86-64-verity', uuid: '2', ...of },
    { type: 'usr-x86-64', uuid: '3', ...of },
  ]);
}

function verify(bench: Workbench, ...files: readonly string[]) {
  const flags = files.flatMap((file) => ['--repart', file]);
  return bench.try(['verify', bench.path('out.efi'), ...flags]);
}

describe('espalier uki verify', () => {
  test('an image with the root hash of its partition passes', async (t) => {
    const bench = aWorkbench(t);
    await bench.build('--cmdline', `init=/x usrhash=${A}`);
    const file = bench.put('repart.json', rows(A));
    const { status, output } = await verify(bench, file);
    assert.equal(status, 0);
    assert.equal(output, `${bench.path('out.efi')}: boots the file systems of ${file}`);
  });

  test('every mismatch of every profile is named, and the status is 1', async (t) => {
    const bench = aWorkbench(t);
    for (const [id, cmdline] of [
      ['one', `usrhash=${A}`],
      ['two', `usrhash=${B}`],
    ] as const) {
      const args = ['--profile', `ID=${id}`, '--cmdline', cmdline];
      const place = ['--output', bench.path(`${id}.efi`)];
      assert.equal((await bench.build(...args, ...place)).status, 0);
    }
    const joined = ['one.efi', 'two.efi'].flatMap((name) => ['--join-profile', bench.path(name)]);
    await bench.build('--cmdline', 'quiet', ...joined);
    const { status, output } = await verify(bench, bench.put('repart.json', rows(A)));
    assert.equal(status, 1);
    assert.deepEqual(output.split('\n'), [
      `${bench.path('out.efi')}: profile 0 (main): expected usrhash=${A}, got no usrhash=`,
      `${bench.path('out.efi')}: profile 2 (two): expected usrhash=${A}, got usrhash=${B}`,
    ]);
  });

  test('an image without a command line is told, and nothing breaks', async (t) => {
    const bench = aWorkbench(t);
    await bench.build();
    const { status, output } = await verify(bench, bench.put('repart.json', rows(A)));
    assert.equal(status, 1);
    assert.match(output, /: the image: has no \.cmdline$/);
  });

  test('a hash that a run did not know yet comes from another run', async (t) => {
    const bench = aWorkbench(t);
    await bench.build('--cmdline', `usrhash=${A}`);
    const known = bench.put('known.json', rows(A));
    for (const unknown of ['TBD', null, undefined]) {
      const later = bench.put('later.json', rows(unknown));
      assert.equal((await verify(bench, later, known)).status, 0);
      const { status, output } = await verify(bench, later);
      assert.equal(status, 1);
      assert.match(output, /no partition for usr has a known root hash$/);
    }
  });

  test('--json tells what was compared', async (t) => {
    const bench = aWorkbench(t);
    await bench.build('--cmdline', `usrhash=${B}`);
    const file = bench.put('repart.json', rows(A));
    const image = bench.path('out.efi');
    const { output } = await bench.try(['verify', '--json', image, '--repart', file]);
    const mismatch = { profile: 'the image', designator: 'usr', expected: [A], got: B };
    assert.deepEqual(JSON.parse(output), {
      version: 1,
      verb: 'uki verify',
      image,
      repart: [file],
      profiles: [{ name: 'the image', rootHashes: { usr: B } }],
      partitions: [{ hex: A, designator: 'usr', architecture: 'x86-64' }],
      mismatches: [{ kind: 'different', ...mismatch }],
    });
  });

  test('what ukify tells of an image is taken in its place, on standard input', async (t) => {
    const bench = aWorkbench(t);
    const file = bench.put('repart.json', rows(A));
    const told = (input: string) =>
      spawnSync(process.execPath, [MAIN, 'uki', 'verify', '-', '--repart', file], {
        input,
        encoding: 'utf8',
      });
    const cmdline = (text: string) => ({ size: 1, sha256: '', text });
    assert.equal(told(JSON.stringify({ '.cmdline': cmdline(`usrhash=${A}`) })).status, 0);
    const { status, stdout } = told(
      JSON.stringify({
        '.linux': { size: 1, sha256: '' },
        '.cmdline': cmdline(`usrhash=${A}`),
        _profiles: [{ '.profile': cmdline('ID=x'), '.cmdline': cmdline(`usrhash=${B}`) }],
      }),
    );
    assert.equal(status, 1);
    assert.equal(stdout, `-: profile 0 (x): expected usrhash=${A}, got usrhash=${B}\n`);
    const broken = told('{"_profiles": 1}');
    assert.equal(broken.status, 1);
    assert.match(broken.stderr, /standard input: _profiles: .*\[VERITY_MALFORMED\]/);
  });

  test('without the output of repart nothing is compared with what ukify tells', async (t) => {
    const bench = aWorkbench(t);
    const { status, error } = await bench.try(['verify', '-']);
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /^--repart: expected/);
    const { error: other } = await verify(bench, bench.put('no.json', '{}'));
    assert.equal(other?.code, 'VERITY_MALFORMED');
  });
});
