import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { processContext } from '../../src/command/process-context.ts';
import { EspError } from '../../src/error.ts';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { planImage } from '../../src/image/plan-image.ts';
import { readRepartDefinitions } from '../../src/image/repart-definitions.ts';
import { STEADY } from '../../src/tree/contents.ts';
import { findPair } from '../../src/verity/disk-pair.ts';
import { NO_SEED } from '../../src/verity/seed.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { blockSource } from '../verity/a-pair.ts';
import { aVerityBench, build, define, SEED } from './an-image.ts';

describe('an image from definitions', () => {
  test('has the pair that its root hash names, whole, in one pass', async (t) => {
    const bench = aVerityBench(t);
    const rows = await build(bench, 'disk.raw');
    const hex = rows[2]?.roothash ?? '';
    assert.match(hex, /^[0-9a-f]{64}$/);
    const disk = readFileSync(bench.path('disk.raw'));
    const found = await findPair(blockSource(disk), 'disk.raw', hex, { deep: { name: 'disk' } });
    assert.equal(found.kind, 'found');
    assert.deepEqual(
      readPartitionTable(bytesSource(disk), 'disk.raw').partitions.map(({ uuid }) => uuid),
      rows.map(({ uuid }) => uuid),
    );
  });

  test('is the same bytes in another time zone, under another umask, by another process', async (t) => {
    const bench = aVerityBench(t);
    define(bench, '00-esp', 'Type=esp', 'SizeMinBytes=34M', `CopyFiles=${bench.path('tree')}:/`);
    await build(bench, 'one.raw');
    const before = { umask: process.umask(0o077), zone: process.env['TZ'] };
    process.env['TZ'] = 'Asia/Tokyo';
    try {
      await build(bench, 'other.raw');
    } finally {
      process.umask(before.umask);
      if (before.zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before.zone;
    }
    assert.ok(readFileSync(bench.path('one.raw')).equals(readFileSync(bench.path('other.raw'))));
  });

  test('takes no more room than what is in it', async (t) => {
    const bench = aVerityBench(t);
    define(bench, '30-home', 'Type=home', 'SizeMinBytes=512M');
    await build(bench, 'disk.raw');
    const { size, blocks } = statSync(bench.path('disk.raw'));
    assert.ok(size > 546 * 1024 * 1024);
    assert.ok(blocks * 512 < 2 * 1024 * 1024, `${blocks * 512} bytes`);
  });

  test('has an ESP as large as its files, and not smaller than firmware wants', async (t) => {
    const bench = aVerityBench(t);
    bench.put('large/file', new Uint8Array(150 * 1024 * 1024));
    const sizeOf = async (tree: string) => {
      define(bench, '00-esp', 'Type=esp', `CopyFiles=${bench.path(tree)}:/`);
      return (await build(bench, `${tree}.raw`))[0]?.raw_size ?? 0;
    };
    assert.equal(await sizeOf('tree'), 100 * 1024 * 1024);
    const size = await sizeOf('large');
    assert.ok(size > 150 * 1024 * 1024 && size < 155 * 1024 * 1024, `${size}`);
  });

  test('is told before it is made, and then nothing is written', async (t) => {
    const bench = aVerityBench(t);
    const planned = await build(bench, 'disk.raw', '--dry-run');
    assert.ok(!existsSync(bench.path('disk.raw')));
    const made = await build(bench, 'disk.raw');
    const shape = (rows: typeof made) => rows.map(({ offset, raw_size }) => [offset, raw_size]);
    assert.deepEqual(shape(planned), shape(made));
    assert.equal(planned[2]?.roothash, 'TBD');
  });

  test('of which somebody else makes the ESP has that empty', async (t) => {
    const bench = aVerityBench(t);
    const whole = await build(bench, 'whole.raw');
    const staged = await build(bench, 'stage.raw', '--defer', 'esp');
    assert.deepEqual(
      staged,
      whole.map((row) => ({ ...row, node: expectNode(row) })),
    );
    const [esp] = staged;
    const bytes = readFileSync(bench.path('stage.raw'));
    const { offset = 0, raw_size: size = 0 } = esp ?? {};
    assert.ok(bytes.subarray(offset, offset + size).every((byte) => byte === 0));
    function expectNode(row: object): string {
      return String(Reflect.get(row, 'node')).replace('whole', 'stage');
    }
  });

  test('is made with a partition of its own for each in a file', async (t) => {
    const bench = aVerityBench(t);
    const rows = await build(bench, 'disk.raw', '--split');
    const disk = readFileSync(bench.path('disk.raw'));
    assert.equal(rows.length, 3);
    for (const { type, offset, raw_size: size, split_path: path } of rows) {
      assert.equal(path, bench.path(`disk.${type}.raw`));
      assert.ok(readFileSync(path ?? '').equals(disk.subarray(offset, offset + size)));
    }
  });

  test('is not made where the file of one of its partitions is there already', async (t) => {
    const bench = aVerityBench(t);
    const there = bench.put('disk.usr-x86-64.raw', 'of somebody else');
    const args = [
      '--definitions',
      bench.path('defs'),
      '--output',
      bench.path('disk.raw'),
      '--split',
    ];
    const { error } = await bench.run(['image', 'build', ...args]);
    assert.equal(error?.code, 'IMAGE_EXISTS');
    assert.equal(readFileSync(there, 'utf8'), 'of somebody else');
    assert.deepEqual(
      readdirSync(bench.path('.')).filter((name) => name.includes('disk.')),
      ['disk.usr-x86-64.raw'],
    );
  });

  test('is not made where two of its partitions would be one file', async (t) => {
    const bench = aVerityBench(t);
    define(bench, '30-home', 'Type=home', 'SplitName=usr-x86-64');
    const args = [
      '--definitions',
      bench.path('defs'),
      '--output',
      bench.path('disk.raw'),
      '--split',
    ];
    const { error } = await bench.run(['image', 'build', ...args]);
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.ok(!existsSync(bench.path('disk.raw')));
  });

  const missing = missingTools(['dosfstools', 'cryptsetup-bin', 'fdisk', 'gdisk', 'erofs-utils']);
  const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;
  const lackingLarge = missingTools(['dosfstools', 'fdisk', 'mtools']);
  const skipLarge = lackingLarge.length > 0 && `install it: ${installCommand(lackingLarge)}`;
  test('is whole for fsck.fat, fsck.erofs, veritysetup, sfdisk and sgdisk', { skip }, async (t) => {
    const bench = aVerityBench(t);
    define(bench, '00-esp', 'Type=esp', 'SizeMinBytes=34M', `CopyFiles=${bench.path('tree')}:/`);
    const rows = await build(bench, 'disk.raw');
    const disk = readFileSync(bench.path('disk.raw'));
    for (const [index, { offset, raw_size: size }] of rows.entries()) {
      bench.put(`part${index}`, disk.subarray(offset, offset + size));
    }
    assert.match(run('fsck.fat', ['-n', bench.path('part0')]), /: 4 files/);
    run('fsck.erofs', [bench.path('part2')]);
    const hex = rows[2]?.roothash ?? '';
    run('veritysetup', ['verify', bench.path('part2'), bench.path('part1'), hex]);
    assert.match(run('sfdisk', ['--verify', bench.path('disk.raw')]), /No errors detected/);
    assert.match(run('sgdisk', ['--verify', bench.path('disk.raw')]), /No problems found/);
  });

  test('has a FAT of 4096-byte sectors on a disk of them', { skip: skipLarge }, async (t) => {
    const bench = aVerityBench(t);
    define(bench, '00-esp', 'Type=esp', `CopyFiles=${bench.path('tree')}:/`);
    const [esp] = await build(bench, 'disk.raw', '--sector-size', '4096');
    const { offset = 0, raw_size: size = 0 } = esp ?? {};
    assert.equal(size, 260 * 1024 * 1024);
    const whole = run('fdisk', ['-b', '4096', '-l', bench.path('disk.raw')]);
    assert.match(whole, /Disklabel type: gpt/);
    assert.match(
      whole,
      new RegExp(`raw1 +${offset / 4096} +\\d+ +${size / 4096} +260M EFI System`),
    );
    bench.put('esp', readFileSync(bench.path('disk.raw')).subarray(offset, offset + size));
    assert.match(run('fsck.fat', ['-nv', bench.path('esp')]), /4096 bytes per logical sector/);
    run('mcopy', ['-i', bench.path('esp'), '::/share/large', bench.path('back')]);
    assert.ok(
      readFileSync(bench.path('back')).equals(readFileSync(bench.path('tree/share/large'))),
    );
  });
});

describe('what is refused leaves nothing behind', () => {
  test('all programs that are missing are told at once, with one command', async (t) => {
    const bench = aVerityBench(t);
    define(bench, '20-root', 'Type=root', 'Format=squashfs');
    define(bench, '30-usr', 'Type=srv', 'Format=ext4');
    const { disk, machine } = processContext(new URL(import.meta.url));
    const settings = { architecture: 'x86-64' };
    const partitions = readRepartDefinitions([bench.path('defs')], settings, disk).slice(-2);
    const planned = planImage(
      {
        ...{ partitions, seed: NO_SEED, size: 'auto', sectorSize: 512 },
        ...{ verityBlockSize: 4096, deferred: new Set() },
      },
      {
        ...{ tree: STEADY, time: 0, warn: assert.fail },
        workshop: {
          machine: { ...machine, findProgram: () => undefined },
          ...{ disk, environment: {}, scratch: bench.folder },
        },
      },
    );
    await assert.rejects(planned, {
      code: 'TOOL_MISSING',
      message: /sqfstar.*; mkfs\.ext4/,
      hint: 'apt-get install squashfs-tools e2fsprogs, or nix-shell -p squashfsTools e2fsprogs',
    });
  });

  const args = (bench: ReturnType<typeof aVerityBench>, ...more: readonly string[]) => [
    ...['image', 'build', '--definitions', bench.path('defs'), '--seed', SEED],
    ...['--output', bench.path('disk.raw'), ...more],
  ];

  for (const [what, text, output, tools] of [
    ['of a stream', '[[partition]]\ntype = "home"', 'a.raw.xz', /xz: /],
    [
      'of an initrd',
      '[[partition]]\ntype = "esp"\n[partition.uki]\npath = "/a.efi"\ndracut = {}',
      'a.raw',
      /dracut: /,
    ],
  ] as const) {
    test(`all programs ${what} are looked for before anything is made`, async (t) => {
      const bench = aVerityBench(t);
      bench.environment = { PATH: bench.path('nothing') };
      bench.put('image.toml', text);
      const args = [bench.path('image.toml'), '--output', bench.path(output)];
      const { error } = await bench.run(['image', 'build', ...args]);
      assert.equal(error?.code, 'TOOL_MISSING');
      assert.match(error?.message ?? '', tools);
      assert.match(error?.hint ?? '', /apt-get install .*nix-shell -p /);
      assert.ok(!existsSync(bench.path(output)));
    });
  }

  test('an output that is there already stays as it was, without --force', async (t) => {
    const bench = aVerityBench(t);
    bench.put('disk.raw', 'mine');
    const { error } = await bench.run(args(bench));
    assert.equal(error?.code, 'IMAGE_EXISTS');
    assert.equal(error?.status, 3);
    assert.equal(readFileSync(bench.path('disk.raw'), 'utf8'), 'mine');
    assert.equal((await bench.run(args(bench, '--force'))).status, 0);
    assert.ok(statSync(bench.path('disk.raw')).size > 1024 * 1024);
  });

  test('a disk that is too small is refused with what each partition needs', async (t) => {
    const bench = aVerityBench(t);
    const { error } = await bench.run(args(bench, '--size', '20M'));
    assert.equal(error?.code, 'IMAGE_FULL');
    assert.equal(error?.status, 4);
    assert.match(error?.message ?? '', /00-esp\.conf 34\.0 MiB/);
    assert.deepEqual(bench.names(), ['defs', 'initrd', 'linux', 'systemd', 'tree']);
  });

  test('a file system without room is looked at first', async (t) => {
    const bench = aVerityBench(t);
    const free = { type: 0, clusterSize: 4096, free: 100_000, total: 1_000_000 };
    const { error } = await bench.run(args(bench), { fileSystem: () => free });
    assert.equal(error?.code, 'IMAGE_FULL');
    assert.match(error?.message ?? '', /97\.7 KiB are free/);
  });

  test('a source that changes while it is read leaves no image', async (t) => {
    const bench = aVerityBench(t);
    const large = bench.path('tree/share/large');
    const { error } = await bench.run(args(bench), {
      open() {
        throw new EspError('SOURCE_CHANGED', `${large}: it changed`);
      },
    });
    assert.equal(error?.code, 'SOURCE_CHANGED');
    assert.deepEqual(bench.names(), ['defs', 'initrd', 'linux', 'systemd', 'tree']);
  });

  for (const [what, lines, message] of [
    ['a key of nobody', ['Type=usr', 'Fromat=erofs'], /10-hash\.conf: there is no key "Fromat"/],
    ['a key that is not done', ['Type=usr', 'Encrypt=tpm2'], /Encrypt=tpm2 is not done here/],
    ['another section', ['Type=usr', '[Install]', 'A=1'], /expected the section \[Partition\]/],
    ['no type', ['Label=a'], /Type=: expected a type of partitions.* got none/],
    ['a wrong size', ['Type=usr', 'SizeMinBytes=lots'], /SizeMinBytes=: expected a size/],
    ['a hash tree without a group', ['Type=usr-verity', 'Verity=hash'], /without VerityMatchKey=/],
    [
      'a role against its type',
      ['Type=usr', 'Verity=hash', 'VerityMatchKey=store'],
      /Verity=hash and Type=usr-x86-64 contradict/,
    ],
    [
      'a group without data',
      ['Type=root-verity', 'Verity=hash', 'VerityMatchKey=other'],
      /verity group (other|store) has no (data|hash) partition/,
    ],
    [
      'a least size above the largest',
      [
        'Type=usr-verity',
        'Verity=hash',
        'VerityMatchKey=store',
        'SizeMinBytes=2M',
        'SizeMaxBytes=1M',
      ],
      /10-hash\.conf: size: the least is 2\.0 MiB, and the most 1\.0 MiB/,
    ],
    ['an unknown specifier', ['Type=usr', 'Label=%w'], /Label=: %w is not known here/],
  ] as const) {
    test(`${what} is named with its file`, async (t) => {
      const bench = aVerityBench(t);
      define(bench, '10-hash', ...lines);
      const { error } = await bench.run(args(bench));
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error?.message ?? '', message);
    });
  }
});
