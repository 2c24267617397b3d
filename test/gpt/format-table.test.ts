import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { ByteSource } from '../../src/byte-source.ts';
import { attributesOf, flagsIn } from '../../src/gpt/flags.ts';
import {
  backupSize,
  formatPartitionTable,
  type NewTable,
  type TablePart,
  tableSectors,
} from '../../src/gpt/format-table.ts';
import {
  FILE_DISK,
  formatMbr,
  hybridPartitions,
  MBR_TYPES,
  type Mbr,
  type MbrPartition,
  protectivePartition,
  readMbr,
} from '../../src/gpt/mbr.ts';
import { type Partition, readPartitionTable } from '../../src/gpt/partition-table.ts';
import { partitionTypeGuid, partitionTypeName } from '../../src/gpt/partition-type.ts';
import { formatGuid, type Guid, parseGuid } from '../../src/guid.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory } from '../verity/a-directory.ts';

const MIB = 1024 * 1024;

function guid(text: string): Guid {
  const parsed = parseGuid(text);
  assert.ok(parsed);
  return parsed;
}
function typeOf(name: string): Guid {
  const found = partitionTypeGuid(name, 'x86-64');
  assert.ok(found, name);
  return found;
}

/** A disk that is zeros but for its table. */
function diskOf(parts: readonly TablePart[], size: number): ByteSource {
  return {
    size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      for (const part of parts) {
        const shift = part.offset - offset;
        const from = Math.max(0, -shift);
        if (shift < bytes.length && from < part.bytes.length)
          bytes.set(part.bytes.subarray(from, bytes.length - shift), Math.max(0, shift));
      }
      return bytes;
    },
  };
}

/** Puts a table into a file of its size that is zeros otherwise. */
function write(file: string, size: number, parts: readonly TablePart[]): void {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, size);
  for (const { offset, bytes } of parts) writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

function firstSector(file: string): Uint8Array {
  const sector = new Uint8Array(512);
  const fd = openSync(file, 'r');
  readSync(fd, sector, 0, 512, 0);
  closeSync(fd);
  return sector;
}

const anyGuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatGuid);
const anyName = fc
  .string({ unit: 'grapheme', maxLength: 36 })
  .filter((name) => name.length <= 36 && !name.includes('\0') && name.isWellFormed());

/** Tables of partitions one behind the other, with gaps. */
const anyTable: fc.Arbitrary<NewTable> = fc
  .record({
    sectorSize: fc.constantFrom(512, 4096),
    uuid: anyGuid,
    isAligned: fc.boolean(),
    gap: fc.nat(100),
    contents: fc.array(
      fc.record({
        type: anyGuid.filter((type) => !/^[0-]+$/.test(type)),
        uuid: anyGuid,
        name: anyName,
        attributes: fc.bigInt(0n, (1n << 64n) - 1n),
        sectors: fc.integer({ min: 1, max: 5000 }),
      }),
      { maxLength: 12 },
    ),
  })
  .map(({ sectorSize, uuid, isAligned, gap, contents }) => {
    const firstUsable = isAligned ? MIB : tableSectors(sectorSize) * sectorSize;
    let next = firstUsable;
    const partitions = contents.map(({ sectors, ...rest }, index) => {
      const offset = next;
      next += (sectors + gap) * sectorSize;
      return { number: index + 1, ...rest, offset, size: sectors * sectorSize };
    });
    return { sectorSize, uuid, firstUsable, partitions, size: next + backupSize(sectorSize) };
  });

describe('a partition table that is written', () => {
  test('is read back as it was meant, from either copy', () => {
    fc.assert(
      fc.property(anyTable, (table) => {
        const [backup, primary] = formatPartitionTable(table);
        for (const [parts, copy] of [
          [[backup, primary], 'primary'],
          [[backup], 'backup'],
        ] as const) {
          const { uuid, partitions, ...rest } = readPartitionTable(diskOf(parts, table.size), 'd');
          assert.deepEqual(
            { uuid, partitions },
            { uuid: table.uuid, partitions: table.partitions },
          );
          assert.deepEqual(rest, { sectorSize: table.sectorSize, copy });
        }
      }),
      { numRuns: 100 },
    );
  });

  test('is refused where partitions overlap, lie outside or are no whole sectors', () => {
    const esp: Partition = {
      ...{ number: 1, type: typeOf('esp'), uuid: guid(DISK), name: 'esp', attributes: 0n },
      ...{ offset: MIB, size: MIB },
    };
    const table = { sectorSize: 512, size: 8 * MIB, uuid: guid(DISK), firstUsable: MIB };
    const rows: readonly (readonly [Partial<Partition>, RegExp])[] = [
      [{ offset: 1.5 * MIB, number: 2 }, /partitions 1 and 2 overlap/],
      [{ offset: 3 * MIB }, /two partitions have one number/],
      [{ offset: 7.9 * MIB, number: 2 }, /no whole sectors/],
      [{ offset: 7.5 * MIB, number: 2 }, /partition 2 ends behind byte/],
      [{ offset: MIB / 2, size: 512, number: 2 }, /partition 2 begins before byte 1048576/],
      [{ offset: 3 * MIB, number: 129 }, /a number from 1 to 128/],
      [{ offset: 3 * MIB, number: 2, name: 'x'.repeat(37) }, /more than 36 characters/],
    ];
    for (const [change, message] of rows) {
      const partitions = [esp, { ...esp, ...change }];
      assert.throws(() => formatPartitionTable({ ...table, partitions }), { message });
    }
  });
});

describe('types and attributes', () => {
  test('have systemd’s names, and one without architecture means that of the image', () => {
    for (const [name, full] of [
      ['esp', 'esp'],
      ['root', 'root-arm64'],
      ['usr-verity-sig', 'usr-arm64-verity-sig'],
      ['usr-x86-64-verity', 'usr-x86-64-verity'],
      ['bios-boot', 'bios-boot'],
      [DISK, DISK],
    ] as const) {
      assert.equal(partitionTypeName(partitionTypeGuid(name, 'arm64') ?? ''), full);
    }
    assert.equal(partitionTypeGuid('no-such-type', 'x86-64'), undefined);
  });

  test('are the bits that they stand for', () => {
    const attributes = attributesOf(['read-only', 'no-auto']);
    assert.equal(attributes, 0x9000_0000_0000_0000n);
    assert.deepEqual(flagsIn(attributes | 8n), ['bit 3', 'read-only', 'no-auto']);
  });
});

const DISK = '97fd5997-f390-0b4a-a3f8-d106c1723aea';
const [A, B] = ['1c06f03b-704e-4657-b9cd-681a087a2fdc', '970c694f-afd0-4b99-b750-cdb7a329ab6f'];
const ROOT = 'f222513b-ded1-49fa-b591-20ce86a2fe7f';

/** The tables of make-disk-image on 1 GiB, as parted and sgdisk write them: SHA-256 of both ends. */
const GOLDEN = [
  {
    name: 'efi',
    rows: [
      ['esp', A, 'ESP', 16384, 499711],
      ['linux-generic', ROOT, 'primary', 499712, 2095103],
    ],
    primary: 'c7b554f38af2a083818b10a53ef01a7a83b5743e9a4e20d5aa03d3d8aa3720e1',
    backup: '50b5ad5ed3a9f4e3956869095feba03d2e301a067b5b513596c5cd3c1d0d78d3',
  },
  {
    name: 'hybrid',
    rows: [
      ['esp', A, 'ESP', 16384, 499711],
      ['bios-boot', B, 'no-fs', 34, 2047],
      ['linux-generic', ROOT, 'primary', 499712, 2095103],
    ],
    primary: '602a49bf38d5d123fdf275b4f94c6a49cb312d9117631f6f232d2cabb6418b0b',
    backup: 'e973f99c07476a4747ca66417311f0490ed39ae4b44483a2a0517fb31b3b8e01',
  },
  {
    name: 'legacy+gpt',
    rows: [
      ['bios-boot', A, 'no-fs', 2048, 4095],
      ['linux-generic', B, 'primary', 4096, 2095103],
    ],
    primary: 'aaf8876b22970d6fe376bbc1bf295953520b96352bbcd0d3416bf743d8aacdcc',
    backup: '0c37d2aff5647ced1de2eb465c151a2b71d0db284300baa9ccec8e4866539f94',
  },
] as const;

describe('the tables of make-disk-image', () => {
  for (const { name, rows, primary, backup } of GOLDEN) {
    test(`${name} is what parted and sgdisk make of it`, () => {
      const partitions = rows.map(([type, uuid, label, first, last], index) => ({
        ...{ number: index + 1, type: typeOf(type), uuid: guid(uuid), name: label, attributes: 0n },
        ...{ offset: first * 512, size: (last - first + 1) * 512 },
      }));
      const size = 1024 * MIB;
      const table = { sectorSize: 512, size, uuid: guid(DISK), firstUsable: 34 * 512, partitions };
      const digests = formatPartitionTable(table).map(({ bytes }) =>
        createHash('sha256').update(bytes).digest('hex'),
      );
      assert.deepEqual(digests, [backup, primary]);
    });
  }
});

const missing = missingTools(['fdisk', 'gdisk', 'parted']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

describe('for other people’s tools', { skip }, () => {
  test('sfdisk and sgdisk find nothing wrong with any table, and read what was meant', (t) => {
    const file = aDirectory(t)('disk.raw');
    const tables = fc.sample(
      anyTable.filter(({ sectorSize, partitions }) => sectorSize === 512 && partitions.length > 0),
      { numRuns: 6, seed: 7 },
    );
    for (const table of tables) {
      write(file, table.size, formatPartitionTable(table));
      assert.match(run('sfdisk', ['--verify', file]), /No errors detected/);
      assert.match(run('sgdisk', ['--verify', file]), /No problems found/);
      const { partitiontable } = JSON.parse(run('sfdisk', ['--json', file]));
      assert.deepEqual(
        partitiontable.partitions.map(
          ({ start, size, type, uuid }: Record<'start' | 'size' | 'type' | 'uuid', never>) =>
            [start * 512, size * 512, type, uuid].join(' ').toLowerCase(),
        ),
        table.partitions.map(({ offset, size, type, uuid }) =>
          [offset, size, type, uuid].join(' '),
        ),
      );
    }
  });

  test('the table of MS-DOS is that of parted, but for its boot code and the disk’s number', (t) => {
    const file = aDirectory(t)('disk.raw');
    const size = 64 * MIB;
    write(file, size, []);
    run('parted', [
      '--script',
      file,
      'mklabel',
      'msdos',
      'mkpart',
      'primary',
      'ext4',
      '1MB',
      '--',
      '-1',
    ]);
    const bytes = firstSector(file);
    const signature = readMbr(bytes)?.signature ?? 0;
    const ours = formatMbr({
      ...{
        partitions: [{ type: MBR_TYPES.linux, first: 2048, count: size / 512 - 4096 }],
        signature,
      },
      geometry: FILE_DISK,
    });
    assert.deepEqual(ours.subarray(440), bytes.subarray(440));
  });
});

describe('a master boot record', () => {
  const plain = { noNullPrototype: true } as const;
  const anyPartition: fc.Arbitrary<MbrPartition> = fc.record(
    {
      type: fc.integer({ min: 1, max: 255 }),
      first: fc.integer({ min: 1, max: 2 ** 31 }),
      count: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    },
    plain,
  );
  const anyMbr: fc.Arbitrary<Mbr> = fc.record(
    {
      partitions: fc.array(anyPartition, { maxLength: 4 }),
      signature: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    },
    plain,
  );

  test('is read back as it was meant', () => {
    fc.assert(fc.property(anyMbr, (mbr) => assert.deepEqual(readMbr(formatMbr(mbr)), mbr)));
    assert.equal(readMbr(new Uint8Array(512)), undefined);
  });

  test('that is a hybrid is what sgdisk --hybrid makes of it', () => {
    const partitions = hybridPartitions([
      { type: MBR_TYPES.esp, first: 2048, count: 16384 },
      { type: MBR_TYPES.linux, first: 18432, count: 8192 },
    ]);
    assert.equal(
      Buffer.from(formatMbr({ partitions, signature: 0 }).subarray(446)).toString('hex'),
      [
        '00000200ee20200001000000ff070000',
        '00202100ef2524010008000000400000',
        '0025250183a726010048000000200000',
        '0'.repeat(32),
        '55aa',
      ].join(''),
    );
  });

  test('protects as much of a large disk as it can name', () => {
    assert.equal(protectivePartition(2 ** 33).count, 2 ** 32 - 1);
    assert.equal(protectivePartition(2048).count, 2047);
  });

  test('is refused where it cannot hold what is asked for', () => {
    const far = { type: MBR_TYPES.linux, first: 2 ** 32 - 8, count: 16 };
    assert.throws(() => formatMbr({ partitions: [far], signature: 0 }), /use a GUID|4294967295/);
    const bootCode = new Uint8Array(441);
    assert.throws(() => formatMbr({ partitions: [], signature: 0, bootCode }), /at most 440/);
    assert.throws(() => hybridPartitions([far, far, far, far]), /at most 3/);
  });
});
