/** Other people's tools on our FATs: mkfs.fat makes the same, fsck.fat finds nothing, mtools reads it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { formatFat } from '../../src/fat/format.ts';
import { type Geometry, mkfsGeometry, rootOffset, type Wanted } from '../../src/fat/geometry.ts';
import { copyOff } from '../lab/esp-image.ts';
import { attempt } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { bounds } from '../property/bounds.ts';
import { aFat, openFat } from './a-fat.ts';
import { memoryRegion } from './a-region.ts';
import { anyLife, live, Model } from './life.ts';

const missing = missingTools(['dosfstools', 'mtools']);
const skip = missing.length > 0 && `needs ${missing.join(', ')}`;
const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-fat-'));
after(() => fs.rmSync(folder, { recursive: true }));

const MIB = 2 ** 20;
/** The time that mkfs.fat gives a label with `--invariant`. */
const INVARIANT = Date.UTC(2015, 2, 14, 9, 26, 53) / 1000;

describe('mkfs.fat', { skip }, () => {
  const sizes = fc.oneof(
    fc.integer({ min: 64 * 1024, max: 40 * MIB }),
    fc.integer({ min: 33 * MIB, max: 600 * MIB }),
    fc.constantFrom(360, 720, 1200, 1440, 2880, 8160, 8210, 32_700).map((kib) => kib * 1024),
  );
  const wanted = fc.record({
    bits: fc.constantFrom(undefined, 12, 16, 32),
    clusterSize: fc.constantFrom(undefined, 512, 1024, 2048, 4096),
    sectorSize: fc.constantFrom(undefined, 4096),
  });

  test('makes the same bytes for any size, kind and cluster, or refuses as we do', () => {
    fc.assert(
      fc.property(sizes, wanted, (any, how) => {
        // It counts in units of 1024 bytes.
        const size = any - (any % 1024);
        const theirs = formattedByMkfs(size, how);
        const geometry = geometryOf(size, how);
        assert.equal(geometry === undefined, theirs === undefined);
        if (geometry === undefined || theirs === undefined) return;
        assert.equal(Buffer.compare(formatted(geometry, size), theirs), 0);
      }),
      bounds(80),
    );
  });
});

function geometryOf(size: number, wanted: Wanted): Geometry | undefined {
  try {
    return mkfsGeometry(size, wanted);
  } catch {
    return undefined;
  }
}

/** Returns everything up to the root directory and its first slots. */
function formatted(geometry: Geometry, size: number): Uint8Array {
  const memory = new Uint8Array(headOf(geometry));
  const region = { ...memoryRegion(memory), size };
  formatFat({ region, geometry, label: 'ESP', volumeId: 0x1234_abcd, epoch: INVARIANT });
  return memory;
}

function headOf(geometry: Geometry): number {
  const { bits, rootSlots, sectorsPerCluster, sectorSize } = geometry;
  return rootOffset(geometry) + (bits === 32 ? sectorsPerCluster * sectorSize : rootSlots * 32);
}

function formattedByMkfs(size: number, wanted: Wanted): Uint8Array | undefined {
  const { bits, clusterSize, sectorSize = 512 } = wanted;
  const image = join(folder, 'theirs.img');
  fs.rmSync(image, { force: true });
  fs.writeFileSync(image, '');
  fs.truncateSync(image, size);
  const kind = bits === undefined ? [] : ['-F', `${bits}`];
  const cluster = clusterSize === undefined ? [] : ['-s', `${clusterSize / sectorSize}`];
  const args = ['--invariant', '-n', 'ESP', '-S', `${sectorSize}`, ...kind, ...cluster, image];
  if (attempt('mkfs.fat', args).status !== 0) return undefined;
  const geometry = geometryOf(size, wanted);
  const head = new Uint8Array(geometry === undefined ? 0 : headOf(geometry));
  const file = fs.openSync(image, 'r');
  fs.readSync(file, head, 0, head.length, 0);
  fs.closeSync(file);
  return head;
}

describe('fsck.fat and mtools', { skip }, () => {
  test('find nothing wrong after any life, and read what a map of files holds', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(anyLife, async (life) => {
        const fat = aFat(34 * MIB, { bits: 32, clusterSize: 512 });
        const model = new Model();
        // mcopy finds nothing to copy on an empty image.
        const first = { kind: 'write', at: { directory: 0, name: 0 }, size: 600, byte: 1 } as const;
        for (const step of [...life, first]) await live(step, fat.disk, model);
        fat.disk.syncDirectory('/boot');
        const image = join(folder, 'ours.img');
        fs.writeFileSync(image, fat.memory);
        const { status, stdout } = attempt('fsck.fat', ['-n', image]);
        assert.equal(status, 0, stdout);
        const copied = join(folder, `ours-${count++}`);
        copyOff(image, copied);
        assert.deepEqual(filesIn(copied), asListed(model));
        fs.rmSync(copied, { recursive: true });
      }),
      bounds(6),
    );
  });

  test('leave a FAT of theirs that we write to as sound as it was', async () => {
    // What mtools put there: names of its own making, with the bits for lower case.
    const image = join(folder, 'mtools.img');
    fs.writeFileSync(image, aFat(34 * MIB, { bits: 32, clusterSize: 512 }).memory);
    const quiet = { env: { MTOOLS_SKIP_CHECK: '1' } };
    const source = join(folder, 'kernel.efi');
    fs.writeFileSync(source, 'kernel');
    attempt('mmd', ['-i', image, '::/efi'], quiet);
    attempt('mcopy', ['-i', image, source, '::/efi/kernel.efi'], quiet);
    const { disk, memory } = reopened(image);
    assert.deepEqual(disk.list('/boot/EFI'), [{ name: 'kernel.efi', kind: 'file' }]);
    await disk.replaceText('/boot/efi/kernel.efi', 'another kernel');
    await disk.replaceText('/boot/efi/Another Long Name.txt', 'text');
    fs.writeFileSync(image, memory);
    assert.equal(attempt('fsck.fat', ['-n', image]).status, 0);
    const { stdout } = attempt('mtype', ['-i', image, '::/efi/kernel.efi'], quiet);
    assert.equal(stdout, 'another kernel');
  });
});

describe('a FAT that others made', { skip }, () => {
  const made = ['mkfs.fat', []] as const;
  for (const [what, size, [program, after], options] of [
    ['FAT12 of mkfs.fat', 2 * MIB, made, ['-F', '12']],
    ['FAT16 of mkfs.fat', 20 * MIB, made, ['-F', '16']],
    ['FAT32 with one table', 34 * MIB, made, ['-F', '32', '-s', '1', '-f', '1']],
    [
      'FAT32 with sectors of 4096 bytes, as systemd-repart makes it',
      96 * MIB,
      made,
      ['-F', '32', '-S', '4096'],
    ],
    [
      'FAT16 of mtools',
      20 * MIB,
      ['mformat', ['::']],
      ['-T', '40960', '-h', '16', '-s', '32', '-i'],
    ],
    [
      'FAT32 of mtools',
      64 * MIB,
      ['mformat', ['::']],
      ['-T', '131072', '-h', '16', '-s', '32', '-F', '-c', '1', '-i'],
    ],
  ] as const) {
    test(`${what}: is written to, and sound afterwards`, async () => {
      const image = join(folder, 'made.img');
      fs.rmSync(image, { force: true });
      fs.writeFileSync(image, '');
      fs.truncateSync(image, size);
      assert.equal(attempt(program, [...options, image, ...after]).status, 0);
      const { disk, memory } = reopened(image);
      disk.makeDirectory('/boot/EFI/Linux');
      for (let index = 0; index < 20; index++) {
        await disk.replaceText(
          `/boot/EFI/Linux/a file with a long name ${index}.efi`,
          'x'.repeat(9000),
        );
      }
      disk.remove('/boot/EFI/Linux/a file with a long name 7.efi');
      disk.syncDirectory('/boot/EFI/Linux');
      fs.writeFileSync(image, memory);
      const { status, stdout } = attempt('fsck.fat', ['-n', image]);
      assert.equal(status, 0, stdout);
    });
  }
});

function reopened(image: string) {
  const memory = Uint8Array.from(fs.readFileSync(image));
  return { ...openFat(memory), memory };
}

/** Returns contents by path; mtools shows what is not ASCII in its own way. */
function filesIn(directory: string): readonly (readonly [string, string])[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path): [string, string] => [
      plain(path.slice(directory.length + 1)),
      fs.readFileSync(path).toString('hex'),
    ])
    .sort();
}

function asListed({ files }: Model): readonly (readonly [string, string])[] {
  return [...files]
    .map(([path, bytes]): [string, string] => [plain(path), Buffer.from(bytes).toString('hex')])
    .sort();
}

const plain = (path: string) => path.replace(/[^ -~]+/g, '?');
