/** The lab's own reader of FAT sees what mtools sees. Needs dosfstools and mtools. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, suite, test } from 'node:test';
import { whatIsMissing } from '../boot/installed.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { run } from '../lab/run.ts';
import { readFat } from './fat-image.ts';
import { ImageReader, readImage, type Tree } from './tree.ts';

const skip = whatIsMissing(['mtools', 'dosfstools']);
const quiet = { env: { MTOOLS_SKIP_CHECK: '1' } };
const MIB = 1024 * 1024;

suite('the reader of FAT images', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-fat-'));
  after(() => rmSync(folder, { recursive: true }));
  let count = 0;

  /** Makes an image of these files and lets `change` work on its bytes. */
  function imageOf(
    files: Readonly<Record<string, string>>,
    change: (bytes: Uint8Array) => void = () => undefined,
  ): string {
    const root = join(folder, `root-${++count}`);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    }
    const image = join(folder, `${count}.img`);
    makeEspImage(image, root, 64 * MIB);
    const bytes = new Uint8Array(readFileSync(image));
    change(bytes);
    writeFileSync(image, bytes);
    return image;
  }

  const ours = (image: string): Tree => {
    const bytes = new Uint8Array(readFileSync(image));
    return new ImageReader().read({ bytes, sectors: new Uint32Array(bytes.length / 512) }).tree;
  };
  const theirs = (image: string): Tree => readImage(image, join(folder, `tree-${count}`));

  function assertAlike(image: string): void {
    // Other people's tools do not tell where a file begins.
    const found = [...ours(image).files].map(([path, { start: _, ...file }]) => [path, file]);
    assert.deepEqual(found, [...theirs(image).files]);
  }

  const many = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [
      `EFI/Linux/nixos-generation-${index}-${'x'.repeat(index)}.efi`,
      'y'.repeat(index * 700),
    ]),
  );
  const names = {
    'loader/loader.conf': 'timeout 3\n',
    'EFI/BOOT/BOOTX64.EFI': 'MZ',
    'lower.txt': '',
    'Mixed.Txt': 'm',
    'dots.in.the.name': 'd',
    'a name of exactly 26 units': '26',
  };

  test('finds every name and content, in directories of more than one cluster too', () => {
    assertAlike(imageOf({ ...many, ...names }));
  });

  test('passes over names that were removed, and uses their place again', () => {
    const image = imageOf({ ...many, ...names });
    run('mdel', ['-i', image, '::/EFI/Linux/nixos-generation-3*'], quiet);
    run('mcopy', ['-i', image, join(import.meta.dirname, 'lab.ts'), '::/EFI/Linux/'], quiet);
    assertAlike(image);
  });

  test('a file whose clusters break off is there as far as they go', () => {
    const image = imageOf({ 'cut.bin': 'z'.repeat(5000) }, (bytes) => {
      const [run] = readFat(bytes).files[0]?.runs ?? [];
      assert.ok(run);
      setNext(bytes, run.start, 0);
    });
    const [, ...rest] = [...ours(image).files.values()];
    assert.deepEqual(rest, []);
    const found = ours(image).files.get('cut.bin');
    assert.deepEqual([found?.isCutOff, theirs(image).files.get('cut.bin')?.isCutOff], [true, true]);
    assert.ok(found && found.size > 0 && found.size < 5000);
  });

  test('a directory that leads back to itself, and one within itself, end', () => {
    const image = imageOf({ 'a/b.txt': 'b' }, (bytes) => {
      const directory = readFat(bytes).structure.at(-1)?.start ?? 0;
      setNext(bytes, directory, clusterAt(bytes, directory));
      // The file is made a directory that has the clusters of the one it is in.
      const record = directory + 2 * 32;
      bytes[record + 11] = 0x10;
      new DataView(bytes.buffer).setUint16(record + 26, clusterAt(bytes, directory), true);
    });
    assert.deepEqual([...ours(image).files], []);
  });

  test('whatever a directory holds instead of names, each is one that a file can have', () => {
    const image = imageOf({ 'a/b.txt': 'b' }, (bytes) => {
      const directory = readFat(bytes).structure.at(-1)?.start ?? 0;
      for (let offset = 64; offset < 512; offset++) bytes[directory + offset] = offset * 31 + 7;
    });
    for (const path of ours(image).files.keys()) assert.match(path, /^[ -~]+$/);
  });

  test('refuses what is no FAT32 image', () => {
    assert.throws(() => readFat(new Uint8Array(MIB)), RangeError);
    assert.throws(() => readFat(new Uint8Array(10)), RangeError);
  });
});

/** Returns the number of the cluster that begins at an offset. */
function clusterAt(bytes: Uint8Array, offset: number): number {
  const { length: data } = readFat(bytes).structure[0] ?? { length: 0 };
  const sectors = bytes[13] ?? 0;
  return 2 + (offset - data) / (sectors * 512);
}

/** Makes a cluster of the first allocation table lead to another one. */
function setNext(bytes: Uint8Array, offset: number, next: number): void {
  const view = new DataView(bytes.buffer);
  const table = view.getUint16(14, true) * 512;
  view.setUint32(table + 4 * clusterAt(bytes, offset), next, true);
}
