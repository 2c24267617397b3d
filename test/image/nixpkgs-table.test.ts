import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { describe, test } from 'node:test';
import { formatPartitionTable } from '../../src/gpt/format-table.ts';
import { formatMbr, readMbr } from '../../src/gpt/mbr.ts';
import {
  MSDOS_GEOMETRY,
  type NixpkgsTable,
  nixpkgsDiskSize,
  nixpkgsLayout,
  parseBootSize,
} from '../../src/image/nixpkgs-table.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory } from '../verity/a-directory.ts';

const MIB = 1024 * 1024;
const bootSize = parseBootSize('256M') ?? assert.fail();
const parameters = (table: NixpkgsTable) => ({ table, bootSize });

/** What parted (3.6 for hybrid) and sgdisk write for 1 GiB with make-disk-image's own calls: SHA-256. */
const GOLDEN = [
  [
    'efi',
    'c7b554f38af2a083818b10a53ef01a7a83b5743e9a4e20d5aa03d3d8aa3720e1',
    '50b5ad5ed3a9f4e3956869095feba03d2e301a067b5b513596c5cd3c1d0d78d3',
  ],
  [
    'hybrid',
    '602a49bf38d5d123fdf275b4f94c6a49cb312d9117631f6f232d2cabb6418b0b',
    'e973f99c07476a4747ca66417311f0490ed39ae4b44483a2a0517fb31b3b8e01',
  ],
  [
    'legacy+gpt',
    'aaf8876b22970d6fe376bbc1bf295953520b96352bbcd0d3416bf743d8aacdcc',
    '0c37d2aff5647ced1de2eb465c151a2b71d0db284300baa9ccec8e4866539f94',
  ],
] as const;

const missing = missingTools(['parted']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

describe('the tables of make-disk-image', () => {
  for (const [name, primary, backup] of GOLDEN) {
    test(`${name} is, byte for byte, what parted and sgdisk make of it`, () => {
      const { gpt } = nixpkgsLayout(parameters(name), 1024 * MIB);
      assert.ok(gpt);
      const digests = formatPartitionTable({ ...gpt, size: 1024 * MIB }).map(({ bytes }) =>
        createHash('sha256').update(bytes).digest('hex'),
      );
      assert.deepEqual(digests, [backup, primary]);
    });
  }

  test('legacy is that of parted, but for its boot code and the disk’s number', { skip }, (t) => {
    const file = aDirectory(t)('disk.raw');
    const size = 64 * MIB;
    const fd = openSync(file, 'w+');
    ftruncateSync(fd, size);
    const make = ['mklabel', 'msdos', 'mkpart', 'primary', 'ext4', '1MB', '--', '-1'];
    run('parted', ['--script', file, ...make]);
    const theirs = new Uint8Array(512);
    readSync(fd, theirs, 0, 512, 0);
    closeSync(fd);
    const { msdos } = nixpkgsLayout(parameters('legacy'), size);
    assert.ok(msdos);
    const { signature = 0 } = readMbr(theirs) ?? {};
    const ours = formatMbr({ partitions: [msdos], signature, geometry: MSDOS_GEOMETRY });
    assert.deepEqual(ours.subarray(440), theirs.subarray(440));
  });

  test('none is the file system alone', () => {
    assert.deepEqual(nixpkgsLayout(parameters('none'), MIB), { root: { offset: 0, size: MIB } });
  });

  test('take a size as parted and numfmt take it: decimal for the one, binary for the other', () => {
    for (const [text, end, reserved] of [
      ['256M', 244, 256],
      ['512M', 488, 512],
      ['1G', 954, 1024],
      ['300M', 286, 300],
      ['256MiB', 256, 256],
    ] as const) {
      assert.deepEqual(parseBootSize(text), { end: end * MIB, reserved: reserved * MIB });
    }
    assert.equal(parseBootSize('256 MB'), undefined);
  });

  test('get a disk as large as make-disk-image makes it for what is in it', () => {
    const content = { blocks: 118_000, inodes: 12_501 };
    const size = nixpkgsDiskSize(parameters('efi'), content, 512 * MIB);
    // Blocks and two more for each inode, 5.2 % on top, 512 MiB, 256 MiB and 17 KiB: whole MiB.
    assert.equal(
      size,
      Math.ceil(((118_000 + 25_002) * 4096 * 1.052) / MIB + 768 + 17 / 1024) * MIB,
    );
    assert.equal(nixpkgsDiskSize(parameters('none'), { blocks: 0, inodes: 1 }, 0), MIB);
  });

  test('are refused where no root fits', () => {
    assert.throws(() => nixpkgsLayout(parameters('efi'), 245 * MIB), { code: 'IMAGE_FULL' });
    assert.throws(() => nixpkgsLayout(parameters('efi'), 245 * MIB + 512), {
      code: 'CONFIG_INVALID',
    });
  });
});
