/** QEMU's own tool reads what we write, and we read what it writes. */
import assert from 'node:assert/strict';
import { appendFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { DISK_FORMATS, diskFormat, openDiskImage } from '../../src/diskformat/formats.ts';
import { openRaw } from '../../src/process/raw-file.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory } from '../tree/a-tree.ts';
import { aDisk, identity } from './a-disk.ts';

const absent = missingTools(['qemu-utils']);
const skip = absent.length > 0 && `install it: ${installCommand(absent)}`;

/** A disk that ends within a cluster, a block and a megabyte. */
function aFile(t: TestContext, megabytes: number) {
  const at = aDirectory(t);
  const disk = aDisk(6 * 1024 * 1024);
  writeFileSync(at('raw'), disk);
  const end = megabytes * 1024 * 1024 + 512;
  run('truncate', ['-s', String(end - 512), at('raw')]);
  appendFileSync(at('raw'), disk.subarray(0, 512));
  return { at, raw: at('raw') };
}

/** How QEMU calls a format. */
const qemuName = (format: string): string => format.replace(/-compressed|-fixed/, '');

describe('a disk image', { skip }, () => {
  for (const format of DISK_FORMATS) {
    test(`in ${format} is whole for qemu-img, and has the same disk in it`, async (t) => {
      // The larger one has two tables of clusters.
      const { at, raw } = aFile(t, format === 'qcow2' ? 520 : 9);
      using disk = openRaw(raw, 'read');
      using sink = openRaw(at('image'), 'replace');
      await diskFormat(format, '').write(disk, sink, { identity });
      const name = qemuName(format);
      if (['qcow2', 'vdi'].includes(name)) run('qemu-img', ['check', '-f', name, at('image')]);
      run('qemu-img', ['compare', '-f', 'raw', '-F', name, raw, at('image')]);
      const { blocks } = statSync(at('image'));
      assert.ok(blocks * 512 < 30 * 1024 * 1024, `${format} takes ${blocks * 512}`);
    });
  }

  const theirs: readonly (readonly [name: string, ...options: string[]])[] = [
    ['qcow2', '-f', 'qcow2'],
    ['qcow2 of version 2', '-f', 'qcow2', '-o', 'compat=0.10,cluster_size=4k'],
    ['qcow2 with zlib', '-f', 'qcow2', '-c'],
    ['qcow2 with zstd', '-f', 'qcow2', '-c', '-o', 'compression_type=zstd'],
    ['VDI', '-f', 'vdi'],
    ['static VDI', '-f', 'vdi', '-o', 'static=on'],
    ['VHD', '-f', 'vpc', '-o', 'force_size=on'],
    ['fixed VHD', '-f', 'vpc', '-o', 'subformat=fixed,force_size=on'],
    ['VHD by geometry', '-f', 'vpc'],
  ];
  test('of QEMU’s is read, in each of its forms', (t) => {
    const { at, raw } = aFile(t, 9);
    using disk = openRaw(raw, 'read');
    for (const [name, ...options] of theirs) {
      run('qemu-img', ['convert', '-O', options[1] ?? '', ...options.slice(2), raw, at('theirs')]);
      using image = openRaw(at('theirs'), 'read');
      assertSame(disk, openDiskImage(image, name), name);
    }
  });
});

type Readable = { readonly size: number; read(offset: number, length: number): Uint8Array };

/** By geometry a disk may be longer, with zeros. */
function assertSame(expected: Readable, got: Readable, name: string): void {
  assert.ok(
    got.size >= expected.size && got.size < expected.size + 1024 * 1024,
    `${name}: ${got.size}`,
  );
  const piece = 16 * 1024 * 1024;
  for (let at = 0; at < expected.size; at += piece) {
    const [left, right] = [expected, got].map((each) =>
      each.read(at, Math.min(piece, expected.size - at)),
    );
    assert.ok(
      Buffer.compare(left ?? new Uint8Array(), right ?? new Uint8Array()) === 0,
      `${name} at ${at}`,
    );
  }
}
