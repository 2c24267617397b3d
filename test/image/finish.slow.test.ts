import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { findPair } from '../../src/verity/disk-pair.ts';
import type { Workbench } from '../command/a-uki.ts';
import { blockSource } from '../verity/a-pair.ts';
import { aVerityBench, build, type Row } from './an-image.ts';

const OTHER = 'ab'.repeat(32);

async function aUki(bench: Workbench, cmdline?: string): Promise<string> {
  const words = cmdline === undefined ? [] : ['--cmdline', cmdline];
  const made = await bench.build(...words);
  assert.equal(made.error, undefined, made.error?.message);
  return bench.path('out.efi');
}

describe('image finish', () => {
  test('puts an image onto the ESP that names the root hash of the disk', async (t) => {
    const bench = aVerityBench(t);
    const rows = await build(bench, 'stage.raw', '--defer', 'esp');
    const uki = await aUki(bench, `quiet usrhash=${rows[2]?.roothash}`);
    const output = bench.path('disk.raw');
    const args = ['--output', output, '--uki-path', '/EFI/Linux/nixos_1.efi', '--json'];
    const done = await bench.run(['image', 'finish', bench.path('stage.raw'), uki, ...args]);
    assert.equal(done.error, undefined, done.error?.message);
    const finished: typeof rows = JSON.parse(done.output);
    assert.deepEqual(
      finished.map(({ uuid, roothash }) => [uuid, roothash]),
      rows.map(({ uuid, roothash }) => [uuid, roothash]),
    );
    const listed = await bench.run(['list', '--esp', `${output}#1`, '--json']);
    assert.equal(listed.error, undefined, listed.error?.message);
    assert.match(listed.output, /nixos_1/);
    // What lies beside the ESP is not touched.
    const { offset = 0, raw_size: size = 0 } = rows[0] ?? {};
    const [before, after] = ['stage.raw', 'disk.raw'].map((name) => readFileSync(bench.path(name)));
    assert.ok(before?.subarray(0, offset).equals(after?.subarray(0, offset) ?? before));
    assert.ok(before?.subarray(offset + size).equals(after?.subarray(offset + size) ?? before));
    assert.ok(!before?.equals(after ?? before));
  });

  for (const [what, cmdline, message] of [
    [
      'another root hash',
      `usrhash=${OTHER}`,
      new RegExp(`expected usrhash=.* got usrhash=${OTHER}`),
    ],
    ['no root hash', 'quiet', /expected usrhash=.*, got no usrhash=/],
    ['no command line', undefined, /has no \.cmdline/],
    ['a root hash for what is not there', `roothash=${OTHER}`, /no partition for root/],
  ] as const) {
    test(`refuses an image with ${what}, names both, and writes nothing`, async (t) => {
      const bench = aVerityBench(t);
      await build(bench, 'stage.raw', '--defer', 'esp');
      const before = readFileSync(bench.path('stage.raw'));
      const uki = await aUki(bench, cmdline);
      const output = bench.path('disk.raw');
      for (const more of [[], ['--output', output]]) {
        const { error } = await bench.run([
          'image',
          'finish',
          bench.path('stage.raw'),
          uki,
          ...more,
        ]);
        assert.equal(error?.code, 'IMAGE_MISMATCH');
        assert.equal(error?.status, 3);
        assert.match(error?.message ?? '', message);
      }
      assert.ok(!existsSync(output));
      assert.ok(readFileSync(bench.path('stage.raw')).equals(before));
    });
  }

  for (const [what, types, describe] of [
    ['', ['esp'], description],
    [', with the image for booting on XBOOTLDR', ['esp', 'xbootldr'], onXbootldr],
  ] as const) {
    test(`gives the very bytes of a build in one run${what}`, async (t) => {
      const bench = aVerityBench(t);
      bench.put('image.toml', describe(bench));
      const whole = bench.path('whole.raw');
      const build = ['image', 'build', bench.path('image.toml')];
      const built = await bench.run([...build, '--output', whole]);
      assert.equal(built.error, undefined, built.error?.message);
      const done = await inTwoStages(bench, types);
      assert.equal(done.error, undefined, done.error?.message);
      assert.ok(readFileSync(bench.path('stage.raw')).equals(readFileSync(whole)));
    });
  }

  for (const [what, change, message] of [
    ['UKI', '', /its UKI belongs onto the XBOOTLDR partition, which is filled already/],
    [
      'entries',
      '[install]\nallow-unsigned = true\n',
      /\[install\] puts its entries onto the XBOOTLDR/,
    ],
  ] as const) {
    test(`refuses ${what} for an XBOOTLDR partition that the build filled`, async (t) => {
      const bench = aVerityBench(t);
      bench.put('image.toml', `${onXbootldr(bench)}${change}`);
      const { error, before } = await inTwoStages(bench, ['esp']);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error?.message ?? '', message);
      assert.ok(readFileSync(bench.path('stage.raw')).equals(before));
    });
  }

  test('refuses a description with a second UKI, which it would lose', async (t) => {
    const bench = aVerityBench(t);
    const [uki = ''] = /\[partition\.uki\][^[]*/.exec(description(bench)) ?? [];
    const listed = uki.replace('[partition.uki]', '[[partition.uki]]');
    const second = listed.replace('a.efi', 'b.efi');
    bench.put('image.toml', description(bench).replace(uki, `${listed}${second}`));
    const { error } = await inTwoStages(bench, ['esp']);
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.match(error?.message ?? '', /expected one UKI .* got \/EFI\/Linux\/a.efi, .*b\.efi/);
  });
});

/** Builds `image.toml` without partitions of these types, and finishes it as `stage.raw`. */
async function inTwoStages(bench: Workbench, types: readonly string[]) {
  const [described, stage] = [bench.path('image.toml'), bench.path('stage.raw')];
  const staging = [...types.flatMap((type) => ['--defer', type]), '--output', stage, '--json'];
  const { output, error } = await bench.run(['image', 'build', described, ...staging]);
  assert.equal(error, undefined, error?.message);
  const rows: readonly Row[] = JSON.parse(output);
  const rootHash = rows.find(({ type }) => type === 'usr-x86-64')?.roothash;
  const uki = await aUki(bench, `quiet usrhash=${rootHash}`);
  const before = readFileSync(stage);
  const done = await bench.run(['image', 'finish', stage, uki, '--description', described]);
  return { ...done, before };
}

describe('a hash tree behind the data, in one partition', () => {
  test('is on the command line with its offset, and the pair is whole', async (t) => {
    const bench = aVerityBench(t);
    const text = description(bench).replace(/\n\[\[partition\]\]\ntype = "usr-verity".*/s, '');
    bench.put('image.toml', text.replace('verity = "data"', '$&\nverity-hash = "behind"'));
    const disk = bench.path('disk.raw');
    const args = ['--output', disk, '--json'];
    const built = await bench.run(['image', 'build', bench.path('image.toml'), ...args]);
    assert.equal(built.error, undefined, built.error?.message);
    const [, data] = JSON.parse(built.output);
    const bytes = readFileSync(disk);
    const hex = data.roothash;
    assert.equal(data.uuid.replaceAll('-', ''), hex.slice(0, 32));
    const [, uki] = /(usrhash=[^\0]*)\0/.exec(bytes.toString('latin1')) ?? [];
    const hashOffset = Number(/hash-offset=(\d+)/.exec(uki ?? '')?.[1]);
    assert.ok(uki?.includes(hex) && hashOffset % 4096 === 0, uki);
    const look = { hashOffset, deep: { name: disk } };
    assert.equal((await findPair(blockSource(bytes), disk, hex, look)).kind, 'found');
    // The same image on the ESP of another run is accepted: its command line says where to look.
    const ours = await aUki(bench, `quiet ${uki}`);
    const stage = ['--output', bench.path('stage.raw'), '--defer', 'esp'];
    await bench.run(['image', 'build', bench.path('image.toml'), ...stage]);
    const from = ['--description', bench.path('image.toml')];
    const done = await bench.run(['image', 'finish', bench.path('stage.raw'), ours, ...from]);
    assert.equal(done.error, undefined, done.error?.message);
    assert.ok(readFileSync(bench.path('stage.raw')).equals(bytes));
  });

  for (const [what, change, message] of [
    ['and a partition of its own', '', /behind the data, or in a partition of its own/],
    ['for a group of nobody', 'match = "stroe"', /no partition has match = "store"|has no data/],
  ] as const) {
    test(`${what} is refused`, async (t) => {
      const bench = aVerityBench(t);
      const text = description(bench);
      const changed =
        change === ''
          ? text.replace('verity = "data"', '$&\nverity-hash = "behind"')
          : text.replaceAll('match = "store"', change);
      bench.put('image.toml', changed);
      const args = ['--output', bench.path('disk.raw')];
      const { error } = await bench.run(['image', 'build', bench.path('image.toml'), ...args]);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error?.message ?? '', message);
    });
  }
});

/** The same with the image for booting on an XBOOTLDR partition, beside a file. */
function onXbootldr(bench: Workbench): string {
  const beside = 'contents = [{ text = "here", target = "/loader/who" }]';
  const xbootldr = `[[partition]]\ntype = "xbootldr"\nsize = "34MiB"\n${beside}\n[partition.uki]`;
  return description(bench).replace('[partition.uki]', xbootldr);
}

function description(bench: Workbench): string {
  return `
[[partition]]
type = "esp"
size = "34MiB"
contents = [{ text = "timeout 1", target = "/loader/loader.conf" }]
[partition.uki]
path = "/EFI/Linux/a.efi"
linux = "linux"
initrd = "initrd"
systemd = "${bench.path('systemd')}"
os-release = "ID=x"
cmdline = "quiet"
verity = "store"

[[partition]]
type = "usr"
format = "erofs"
verity = "data"
match = "store"
contents = [{ source = "tree", target = "/" }]

[[partition]]
type = "usr-verity"
verity = "hash"
match = "store"
`;
}
