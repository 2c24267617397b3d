import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { formatMbr } from '../../src/gpt/mbr.ts';
import type { InspectedImage } from '../../src/image/inspect-image.ts';
import { aWorkbench, type Workbench } from '../command/a-uki.ts';
import { aVerityBench, build } from './an-image.ts';

/** Runs `image inspect --json`, and returns its status and what it found. */
async function inspect(
  bench: Workbench,
  name: string,
  ...more: readonly string[]
): Promise<{ status: number | undefined; found: InspectedImage }> {
  const { status, output, error } = await bench.run([
    'image',
    'inspect',
    bench.path(name),
    '--json',
    ...more,
  ]);
  if (error !== undefined) throw error;
  return { status, found: JSON.parse(output) };
}

/** A disk with an ESP, whose image boots the /usr that is in it. */
async function aDisk(t: TestContext) {
  const bench = aVerityBench(t);
  const rows = await build(bench, 'stage.raw', '--defer', 'esp');
  const made = await bench.build('--cmdline', `usrhash=${rows[2]?.roothash}`);
  assert.equal(made.error, undefined, made.error?.message);
  const finished = await bench.run([
    ...['image', 'finish', bench.path('stage.raw'), bench.path('out.efi')],
    ...['--output', bench.path('disk.raw'), '--uki-path', '/EFI/Linux/nixos_1.efi'],
  ]);
  assert.equal(finished.error, undefined, finished.error?.message);
  return { bench, rows };
}

describe('espalier image inspect', () => {
  test('shows partitions, file systems, root hashes and what boots, in every format alike, and what is damaged', async (t) => {
    const { bench, rows } = await aDisk(t);
    const { status, found } = await inspect(bench, 'disk.raw', '--deep');
    assert.equal(status, 0);
    assert.equal(found.table.kind, 'gpt');
    assert.deepEqual(
      found.partitions.map(({ type, fileSystem }) => [type, fileSystem?.type]),
      [
        ['esp', 'vfat'],
        ['usr-x86-64-verity', 'DM_verity_hash'],
        ['usr-x86-64', 'erofs'],
      ],
    );
    const [pair] = found.verity;
    assert.deepEqual([pair?.rootHash, pair?.hash, pair?.data], [rows[2]?.roothash, 2, 3]);
    assert.match(found.esps[0]?.boots ?? '', /nixos_1/);

    await bench.run([
      'image',
      'convert',
      bench.path('disk.raw'),
      bench.path('disk.qcow2'),
      '--format=qcow2-compressed',
    ]);
    await bench.run(['image', 'convert', bench.path('disk.raw'), bench.path('disk.raw.zst')]);
    for (const [name, format] of [
      ['disk.qcow2', 'qcow2'],
      ['disk.raw.zst', 'raw, zstd'],
    ] as const) {
      const other = await inspect(bench, name, '--deep');
      const { fileSize } = other.found;
      assert.deepEqual(other.found, { ...found, format, image: bench.path(name), fileSize });
    }

    const { output } = await bench.run(['image', 'inspect', bench.path('disk.raw')]);
    assert.match(output, /ESP, partition 1: boots nixos_1/);
    assert.match(
      output,
      new RegExp(`partition 2 of partition 3: ${rows[2]?.roothash}, the top of the tree fits`),
    );

    // One flipped byte of what the hash tree protects is found when every block is read.
    const bytes = readFileSync(bench.path('disk.raw'));
    const at = (rows[2]?.offset ?? 0) + 200_000;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    bench.put('flipped.raw', bytes);
    assert.equal((await inspect(bench, 'flipped.raw')).status, 0);
    const flipped = await inspect(bench, 'flipped.raw', '--deep');
    assert.equal(flipped.status, 1);
    assert.match(
      flipped.found.verity[0]?.problem ?? '',
      /partition 3: corrupt at byte \d+: data block 48/,
    );

    // The last sector has the backup of the table.
    bench.put('cut.raw', bytes.subarray(0, -512));
    const cut = await inspect(bench, 'cut.raw');
    assert.equal(cut.status, 5);
    assert.match(cut.found.problems.join(), /backup of the partition table is not whole/);
  });

  test('says when what would boot wants a file system that is not in the image', async (t) => {
    const { bench } = await aDisk(t);
    // Another /usr, and the ESP of the first.
    const first = readFileSync(bench.path('disk.raw'));
    bench.put('tree/marker', 'this is another /usr\n');
    const rows = await build(bench, 'other.raw', '--defer', 'esp');
    const other = readFileSync(bench.path('other.raw'));
    const [{ offset = 0, raw_size: size = 0 } = {}] = rows;
    first.copy(other, offset, offset, offset + size);
    writeFileSync(bench.path('other.raw'), other);
    const { status, found } = await inspect(bench, 'other.raw');
    assert.equal(status, 1);
    assert.match(
      found.esps[0]?.problems.join() ?? '',
      /nixos_1.* wants a file system that is not in this image: root hash [0-9a-f]{64}/,
    );
  });

  test('shows what it can of disks without a GPT', async (t) => {
    const bench = aWorkbench(t);
    bench.put('empty.raw', new Uint8Array(1024 * 1024));
    const empty = await inspect(bench, 'empty.raw');
    assert.deepEqual(
      [empty.status, empty.found.table.kind, empty.found.partitions],
      [0, 'none', []],
    );
    const partitions = [{ isActive: false, type: 0x83, first: 2048, count: 100 }];
    const mbr = formatMbr({ signature: 7, partitions } as unknown as Parameters<
      typeof formatMbr
    >[0]);
    bench.put('dos.raw', Buffer.concat([mbr, new Uint8Array(2 * 1024 * 1024)]));
    const dos = await inspect(bench, 'dos.raw');
    assert.deepEqual(
      [dos.status, dos.found.table.kind, dos.found.partitions[0]?.type],
      [0, 'dos', '0x83'],
    );
  });

  test('refuses what is no image it reads', async (t) => {
    const bench = aWorkbench(t);
    bench.put('disk.vmdk', 'KDMV and more');
    await assert.rejects(inspect(bench, 'disk.vmdk'), {
      code: 'DISK_IMAGE_MALFORMED',
      message: /VMDK/,
    });
    await assert.rejects(inspect(bench, 'nothing'), { code: 'FILE_MISSING' });
  });
});
