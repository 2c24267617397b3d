import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { DISK_FORMATS, diskFormat, openDiskImage } from '../../src/diskformat/formats.ts';
import { EspError } from '../../src/error.ts';
import { aDisk, diskOf, written } from './a-disk.ts';

/** Reads some of a disk, and lets pass that it is refused. */
function readOrRefuse(bytes: Uint8Array): void {
  const memory = new Uint8Array(100_000);
  try {
    const opened = openDiskImage(bytesSource(bytes), 'disk');
    for (const at of [0, 500_000, Math.max(0, opened.size - 50_000)]) {
      assert.ok(opened.readInto(at, memory).length <= memory.length);
    }
  } catch (error) {
    assert.ok(error instanceof EspError && error.code === 'DISK_IMAGE_MALFORMED', String(error));
  }
}

describe('a disk image', () => {
  for (const format of DISK_FORMATS) {
    test(`in ${format} gives back the disk, and is the same twice`, async () => {
      for (const size of [512, 1024 * 1024, 5 * 1024 * 1024 + 512]) {
        const disk = aDisk(size);
        const image = await written(format, diskOf(disk));
        assert.deepEqual(await written(format, diskOf(disk)), image);
        const opened = openDiskImage(bytesSource(image), 'disk');
        assert.equal(opened.size, size);
        assert.equal(opened.format, format.replace('-compressed', ''));
        assert.ok(Buffer.from(opened.read(0, size)).equals(disk));
      }
    });

    test(`in ${format} that is damaged is refused or read within its bounds`, async () => {
      const image = await written(format, diskOf(aDisk(1024 * 1024)));
      const places = Math.min(image.length, 4096) - 1;
      const change = fc.record({ at: fc.nat(places), byte: fc.nat(255), isAtEnd: fc.boolean() });
      const changes = fc.array(change, { minLength: 1, maxLength: 6 });
      fc.assert(
        fc.property(changes, fc.constantFrom(0, 1000), (made, cut) => {
          const bytes = image.slice(0, image.length - cut);
          for (const { at, byte, isAtEnd } of made)
            bytes[isAtEnd ? bytes.length - 1 - at : at] = byte;
          readOrRefuse(bytes);
        }),
        { numRuns: 100 },
      );
    });
  }

  test('leaves zeros out', async () => {
    const disk = new Uint8Array(64 * 1024 * 1024);
    disk[40_000_000] = 1;
    for (const [format, most] of [
      ['qcow2', 700_000],
      ['vdi', 1_100_000],
      ['vpc', 2_200_000],
    ] as const) {
      const { length } = await written(format, diskOf(disk));
      assert.ok(length < most, `${format}: ${length}`);
    }
  });

  test('is smaller in qcow2 when it is compressed, and not larger by what cannot be', async () => {
    const text = aDisk(4 * 1024 * 1024);
    const [plain, packed] = [
      await written('qcow2', diskOf(text)),
      await written('qcow2-compressed', diskOf(text)),
    ];
    assert.ok(packed.length < plain.length * 0.8);
  });

  test('is of the format that its name tells, or that is given', () => {
    assert.equal(diskFormat(undefined, '/a/disk.QCOW2').name, 'qcow2');
    assert.equal(diskFormat(undefined, 'disk.vhd').name, 'vpc');
    assert.equal(diskFormat('vhd-fixed', 'disk').name, 'vpc-fixed');
    assert.throws(() => diskFormat(undefined, 'disk'), {
      code: 'CONFIG_INVALID',
      hint: /--format: raw, qcow2/,
    });
    assert.throws(() => diskFormat('vmdk', 'disk'), { code: 'CONFIG_INVALID' });
  });

  test('that is not all in its file, or of another format, is refused by name', async () => {
    const image = await written('qcow2', diskOf(aDisk(1024 * 1024)));
    const changed = (at: number, byte: number) => {
      const bytes = image.slice();
      bytes[at] = byte;
      return () => openDiskImage(bytesSource(bytes), 'disk');
    };
    assert.throws(changed(15, 8), { code: 'DISK_IMAGE_MALFORMED', message: /backing file/ });
    assert.throws(changed(35, 1), { message: /encrypted/ });
    assert.throws(changed(79, 4), { message: /features 4/ });
    for (const [magic, format] of [
      ['vhdxfile', 'VHDX'],
      ['KDMV', 'VMDK'],
      ['\xfd7zXZ\0', 'xz'],
    ]) {
      const bytes = Buffer.from(magic ?? '', 'latin1');
      assert.throws(() => openDiskImage(bytesSource(bytes), 'disk'), {
        message: new RegExp(`got ${format}`),
      });
    }
  });
});
