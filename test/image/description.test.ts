import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { openDiskImage } from '../../src/diskformat/formats.ts';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { lineOf } from '../../src/image/toml-lines.ts';
import { aWorkbench, type Workbench } from '../command/a-uki.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';

function buildFrom(bench: Workbench, text: string, ...more: readonly string[]) {
  bench.put('image.toml', text);
  bench.put('tree/file', 'x'.repeat(5000));
  const output = ['--output', bench.path('disk.raw')];
  return bench.run(['image', 'build', bench.path('image.toml'), ...output, ...more]);
}

const DATA = `
[[partition]]
type = "usr"
format = "erofs"
verity = "data"
match = "a"
contents = [{ source = "tree", target = "/" }]

[[partition]]
type = "usr-verity"
verity = "hash"
match = "a"
`;

const ESP = '[[partition]]\ntype = "esp"\n';

/** Keys that somebody may write, and that change nothing where they stand. */
const VAIN: readonly (readonly [text: string, message: string])[] = [
  [
    `boot-size = "1G"\n${DATA}`,
    'boot-size: it is for the tables efi and hybrid, which have an ESP',
  ],
  [`additional-space = "1G"\n${DATA}`, 'additional-space: it is for table'],
  [
    'table = "efi"\nsize = "1GiB"\nadditional-space = "1MiB"',
    'additional-space: size says how large the disk is',
  ],
  [
    'table = "efi"\nsector-size = 4096',
    'sector-size: the tables of make-disk-image have sectors of 512 bytes',
  ],
  ['table = "legacy"\n[install]\nlimit = 1', 'install: there is no ESP to install onto'],
  [
    'table = "legacy"\n[esp]\nloader = true',
    'esp: it is for the tables efi and hybrid, which have an ESP',
  ],
  [
    'table = "none"\nroot-guid = "11111111-2222-4333-8444-555555555555"',
    'root-guid: it is for the tables with a GPT: legacy+gpt, efi and hybrid',
  ],
  [`certificate = "a.pem"\n${DATA}`, 'certificate: there is no private-key'],
  [
    `systemd = "/usr"\n${DATA}`,
    'systemd: the boot loader is taken from it, and no loader = true asks for one',
  ],
  [`${DATA}loader = true`, 'partition 2: loader: it is for the first ESP'],
  [`${ESP}${ESP}loader = true`, 'partition 2: loader: it is for the first ESP'],
  [`${ESP}loader-conf = "timeout 1"`, 'partition 1: loader-conf: it is for loader = true'],
  [`${ESP}size = "40MiB"\nweight = 5`, 'partition 1: weight: size says it'],
  [`${ESP}match = "a"`, 'partition 1: match: there is no verity'],
  [`${ESP}compression = "zstd"`, 'partition 1: compression: it is for erofs and squashfs'],
  [
    `${DATA}contents = [{ text = "a", target = "/a" }]`,
    'partition 2: contents: such a partition holds no files',
  ],
  [
    `${ESP}contents = [{ text = "a", target = "/a", mode = "600" }]`,
    'partition 1: contents.mode: FAT has none',
  ],
  [
    `${ESP}[partition.uki]\npath = "/a.efi"\non-corruption = "panic"`,
    'uki.on-corruption: there is no verity',
  ],
  [
    `${ESP}[install]\nefi-entry = true`,
    'install.efi-entry: variables for the image are made by [efi-variables]',
  ],
];

describe('a description', () => {
  test('with mistakes is refused with all of them, each with its line and what was meant', async (t) => {
    const bench = aWorkbench(t);
    const { error } = await buildFrom(
      bench,
      ['sede = "1"', 'size = "lots"', '[[partition]]', 'type = "esp"', 'labl = "x"'].join('\n'),
    );
    assert.equal(error?.code, 'CONFIG_INVALID');
    const told = `${error?.message}\n${error?.hint}`;
    assert.match(told, /image\.toml:1: there is no key sede: did you mean seed\?/);
    assert.match(told, /image\.toml:2: size: expected a size, as 4GiB, or auto/);
    assert.match(told, /image\.toml:5: there is no key partition\.0\.labl: did you mean label\?/);
    assert.ok(!existsSync(bench.path('disk.raw')));
  });

  for (const [what, text, message] of [
    ['no TOML', 'a = = b', /image\.toml:1: not TOML/],
    ['nothing to make', 'size = "auto"', /expected \[\[partition\]\] or table/],
    ['both languages', `table = "efi"\n${DATA}`, /partition: there is a table/],
    ['a type of nobody', '[[partition]]\ntype = "esb"', /partition 1: expected a type.*"esb"/],
    [
      'a signature and no key',
      `${DATA}[[partition]]\ntype="usr-verity-sig"\nverity="signature"\nmatch="a"`,
      /a signature partition, and no key/,
    ],
    ['a group without a tree', DATA.slice(0, DATA.indexOf('\n\n[[')), /group a has no hash/],
  ] as const) {
    test(`with ${what} is refused`, async (t) => {
      const bench = aWorkbench(t);
      const { error } = await buildFrom(bench, text);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error?.message ?? '', message);
    });
  }

  for (const [text, message] of VAIN) {
    test(`is refused where a key would do nothing: ${message}`, async (t) => {
      const bench = aWorkbench(t);
      const { error } = await buildFrom(bench, text);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.ok(error?.message.endsWith(`image.toml: ${message}`), error?.message);
      assert.ok(!existsSync(bench.path('disk.raw')));
    });
  }

  test('gives the same disk in another format', async (t) => {
    const bench = aWorkbench(t);
    const raw = await buildFrom(bench, DATA);
    assert.equal(raw.error, undefined, raw.error?.message);
    const disk = readFileSync(bench.path('disk.raw'));
    const output = bench.path('disk.qcow2');
    const other = await bench.run(['image', 'build', bench.path('image.toml'), '--output', output]);
    assert.equal(other.error, undefined, other.error?.message);
    const image = openDiskImage(bytesSource(readFileSync(output)), 'disk.qcow2');
    assert.ok(Buffer.from(image.read(0, image.size)).equals(disk));
  });

  const lacking = missingTools(['gdisk']);
  const skip = lacking.length > 0 && `install it: ${installCommand(lacking)}`;
  test('makes the hybrid MBR of sgdisk', { skip }, async (t) => {
    const bench = aWorkbench(t);
    const types = ['srv', 'swap', 'home', 'var'];
    const all = (inMbr: readonly string[]) =>
      types
        .map(
          (type) =>
            `[[partition]]\ntype = "${type}"\nsize = "1MiB"\nin-mbr = ${inMbr.includes(type)}\n`,
        )
        .join('');
    const made = await buildFrom(bench, all(['srv', 'swap', 'home']));
    assert.equal(made.error, undefined, made.error?.message);
    await buildFrom(bench, all([]), '--output', bench.path('plain.raw'));
    run('sgdisk', ['--hybrid=1:2:3', bench.path('plain.raw')]);
    const [ours, theirs] = ['disk.raw', 'plain.raw'].map((name) => readFileSync(bench.path(name)));
    assert.ok(ours?.equals(theirs ?? new Uint8Array()));
    const { error } = await buildFrom(bench, all(types), '--force');
    assert.match(error?.message ?? '', /a hybrid MBR/);
  });

  test('makes a fixed VHD of whole MiB, whose backup table is at the end of the disk', async (t) => {
    const bench = aWorkbench(t);
    const made = await buildFrom(bench, DATA, '--format', 'vpc-fixed');
    assert.equal(made.status, 0, made.error?.message);
    const image = readFileSync(bench.path('disk.raw'));
    const disk = openDiskImage(bytesSource(image), 'disk.vhd');
    assert.equal(disk.size % (1024 * 1024), 0);
    assert.equal(image.length, disk.size + 512);
    const end = Buffer.from(disk.read(disk.size - 512, 8));
    assert.equal(end.toString(), 'EFI PART');
  });

  test('makes a disk of sectors of 4096 bytes, whose ESP firmware takes', async (t) => {
    const bench = aWorkbench(t);
    const made = await buildFrom(bench, `sector-size = 4096\n${DATA}`);
    assert.equal(made.error, undefined, made.error?.message);
    const disk = readFileSync(bench.path('disk.raw'));
    const { sectorSize, partitions } = readPartitionTable(bytesSource(disk), 'disk.raw');
    assert.equal(sectorSize, 4096);
    assert.equal(partitions.length, 2);
    const esp = `sector-size = 4096\n[[partition]]\ntype = "esp"\n`;
    const { error } = await buildFrom(bench, `${esp}size = "256MiB"\n`, '--force');
    assert.match(
      error?.message ?? '',
      /expected at least 269484032 bytes \(257.0 MiB\): firmware takes no smaller/,
    );
  });

  test('is made anew over what a killed run left', async (t) => {
    const bench = aWorkbench(t);
    await buildFrom(bench, DATA);
    const clean = readFileSync(bench.path('disk.raw'));
    bench.put('.disk.raw.espalier-tmp', Buffer.alloc(2_000_000, 0xee));
    bench.put('.disk.raw.espalier-tmp.d/left', 'over');
    const again = await buildFrom(bench, DATA, '--force');
    assert.equal(again.error, undefined, again.error?.message);
    assert.ok(readFileSync(bench.path('disk.raw')).equals(clean));
    assert.ok(!existsSync(bench.path('.disk.raw.espalier-tmp')));
    assert.ok(!existsSync(bench.path('.disk.raw.espalier-tmp.d')));
  });
});

describe('the line of a key', () => {
  const text = 'a = 1\n[b]\nc = 2\n[[d]]\ne = 3\n[d.f]\ng = 4\n[[d]]\ne = 5\n[d.f]\ng = 6\n';
  for (const [path, line] of [
    [['a'], 1],
    [['b', 'c'], 3],
    [['d', 0, 'e'], 5],
    [['d', 1, 'e'], 9],
    [['d', 0, 'f', 'g'], 7],
    [['d', 1, 'f', 'g'], 11],
    [['b', 'missing'], 2],
    [['nowhere'], undefined],
  ] as const) {
    test(`${path.join('.')} is in ${line ?? 'none'}`, () => {
      assert.equal(lineOf(text, path), line);
    });
  }
});
