import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { type Partition, readPartitionTable } from '../../src/gpt/partition-table.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory } from '../verity/a-directory.ts';
import { aDisk } from './a-disk.ts';

const USR = '8484680c-9521-48c6-9c11-b0720656f69e';
const [ONE, TWO] = ['00112233-4455-6677-8899-aabbccddeeff', 'ffeeddcc-bbaa-9988-7766-554433221100'];

const twoPartitions = [
  { type: USR, uuid: ONE, bytes: new Uint8Array(8192).fill(1) },
  { type: USR, uuid: TWO, bytes: new Uint8Array(4096).fill(2) },
];
const read = (disk: Uint8Array) => readPartitionTable(bytesSource(disk), 'disk.raw');

describe('a partition table', () => {
  for (const sectorSize of [512, 4096]) {
    test(`with sectors of ${sectorSize} bytes says what lies where`, () => {
      const disk = aDisk(twoPartitions, sectorSize);
      const { partitions, copy, ...found } = read(disk);
      assert.equal(copy, 'primary');
      assert.equal(found.sectorSize, sectorSize);
      assert.deepEqual(
        partitions.map(({ number, type, uuid }) => ({ number, type, uuid })),
        [
          { number: 1, type: USR, uuid: ONE },
          { number: 2, type: USR, uuid: TWO },
        ],
      );
      for (const [index, { offset, size }] of partitions.entries()) {
        assert.deepEqual(disk.subarray(offset, offset + size), twoPartitions[index]?.bytes);
      }
    });
  }

  test('is read from its backup when the primary copy is damaged anywhere', () => {
    for (const at of [512, 512 + 16, 512 + 40, 512 + 72, 1024 + 5, 1024 + 127 * 128]) {
      const disk = aDisk(twoPartitions);
      disk[at] = (disk[at] ?? 0) ^ 0x40;
      const { copy, partitions } = read(disk);
      assert.equal(copy, 'backup', `byte ${at}`);
      assert.equal(partitions.length, 2);
    }
  });

  test('of which neither copy is whole is refused, with what is wrong with each', () => {
    const disk = aDisk(twoPartitions);
    disk[1024] = 0;
    disk[disk.length - 512 + 48] = 0;
    assert.throws(() => read(disk), {
      code: 'DISK_IMAGE_MALFORMED',
      message:
        'disk.raw: expected a GUID partition table, got primary copy: its entries have another checksum; backup copy: its header has another checksum',
    });
    assert.throws(() => read(new Uint8Array(100_000)), { message: /got none$/ });
    assert.throws(() => read(new Uint8Array(0)), { message: /got none$/ });
  });

  const missing = missingTools(['fdisk']);
  const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;
  test('of sfdisk is read as sfdisk reads it', { skip }, (t) => {
    const disk = aDirectory(t)('disk.raw');
    writeFileSync(disk, new Uint8Array(16 * 1024 * 1024));
    run('sfdisk', ['--quiet', disk], {
      input: [
        'label: gpt',
        `size=2MiB, type=${USR}, uuid=${ONE}, name="usr: größer"`,
        `size=1MiB, type=linux, uuid=${TWO}, bootable`,
        '',
      ].join('\n'),
    });
    const { partitiontable } = JSON.parse(run('sfdisk', ['--json', disk]));
    const theirs = partitiontable.partitions.map(
      (partition: { start: number; size: number; type: string; uuid: string; name?: string }) => ({
        ...{ offset: partition.start * 512, size: partition.size * 512 },
        ...{ type: partition.type.toLowerCase(), uuid: partition.uuid.toLowerCase() },
        name: partition.name ?? '',
      }),
    );
    const ours = read(readFileSync(disk)).partitions.map(({ number, attributes, ...rest }) => rest);
    assert.equal(ours.length, 2);
    assert.deepEqual(ours, theirs);
  });

  test('of any bytes is read or refused, and what is read lies on the disk', () => {
    const whole = aDisk(twoPartitions);
    const at = fc.oneof(fc.integer({ min: 512, max: 1400 }), fc.nat(whole.length - 1));
    const changes = fc.array(fc.tuple(at, fc.nat(255)), { maxLength: 8 });
    const cut = fc.option(fc.nat(whole.length), { nil: undefined });
    fc.assert(
      fc.property(changes, cut, (edits, length) => {
        const disk = whole.slice(0, length);
        for (const [where, value] of edits) disk[where] = value;
        // With the checksum of the header made right, what the header says is looked at.
        if (length === undefined) resign(disk);
        for (const { offset, size } of readOrRefuse(disk)) {
          assert.ok(offset >= 0 && size > 0 && offset + size <= disk.length);
        }
      }),
      { numRuns: 1000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });
});

/** The partitions; none where the table is refused. */
function readOrRefuse(disk: Uint8Array): readonly Partition[] {
  try {
    return read(disk).partitions;
  } catch (error) {
    assert.ok(error instanceof EspError && error.code === 'DISK_IMAGE_MALFORMED', String(error));
    return [];
  }
}

/** Puts the checksum that fits into the primary header. */
function resign(disk: Uint8Array): void {
  const header = disk.subarray(512, 604);
  header.fill(0, 16, 20);
  new DataView(header.buffer, header.byteOffset).setUint32(16, crc32(header), true);
}
