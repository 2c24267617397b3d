/** Whatever happens to a FAT, an independent reader finds in it what a map of files holds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { readFat } from '../crash/fat-image.ts';
import { bounds } from '../property/bounds.ts';
import { aFat, type Fat, openFat } from './a-fat.ts';
import { memoryRegion } from './a-region.ts';
import { anyLife, live, Model } from './life.ts';

/** Paths as the independent reader shows them: it knows ASCII alone. */
const shown = (path: string) =>
  path
    .split('/')
    .map((name) => name.replace(/[^ -.0-~]/g, '_'))
    .join('/');

function requireSame({ memory }: Pick<Fat, 'memory'>, { files }: Model): void {
  const found = readFat(memory).files.map(({ path, runs, isCutOff }) => {
    assert.ok(!isCutOff, path);
    const pieces = runs.map(({ start, length }) => memory.subarray(start, start + length));
    return [path, Buffer.concat(pieces).toString('hex')] as const;
  });
  const wanted = [...files].map(([path, bytes]) => [
    shown(path),
    Buffer.from(bytes).toString('hex'),
  ]);
  assert.deepEqual(found.sort(), wanted.sort());
}

describe('a life', () => {
  for (const [what, size, clusterSize] of [
    ['FAT32', 2 ** 20, 512],
    ['FAT32 with large clusters', 4 * 2 ** 20, 2048],
    ['FAT32 that is soon full', 100 * 1024, 512],
  ] as const) {
    test(`on ${what}: every step leaves what a map of files holds, and it opens again`, async () => {
      await fc.assert(
        fc.asyncProperty(anyLife, async (life) => {
          const fat = aFat(size, { bits: 32, clusterSize });
          const model = new Model();
          for (const step of life) {
            await live(step, fat.disk, model);
            requireSame(fat, model);
          }
          fat.disk.syncDirectory('/boot');
          const { free } = fat.disk.fileSystem('/boot') ?? {};
          assert.equal(openFat(fat.memory).disk.fileSystem('/boot')?.free, free);
        }),
        bounds(25),
      );
    });
  }

  for (const [what, size, bits] of [
    ['FAT12', 256 * 1024, 12],
    ['FAT16', 4 * 2 ** 20, 16],
  ] as const) {
    test(`on ${what}: it reads the same when it is opened again`, async () => {
      await fc.assert(
        fc.asyncProperty(anyLife, async (life) => {
          const fat = aFat(size, { bits, clusterSize: 512 });
          const model = new Model();
          for (const step of life) await live(step, fat.disk, model);
          fat.disk.syncDirectory('/boot');
          const { disk } = openFat(fat.memory);
          for (const [path, bytes] of model.files) {
            assert.deepEqual(Buffer.from(disk.read(`/boot/${path}`, 1e6)), Buffer.from(bytes));
          }
          assert.equal(disk.fileSystem('/boot')?.free, fat.disk.fileSystem('/boot')?.free);
        }),
        bounds(20),
      );
    });
  }

  test('on a disk on which a write fails: nothing is written after it, and it opens again', async () => {
    await fc.assert(
      fc.asyncProperty(anyLife, fc.nat(120), async (life, failing) => {
        const { memory } = aFat(100 * 1024, { bits: 32, clusterSize: 512 });
        const region = memoryRegion(memory);
        let writes = 0;
        const writeAt = (offset: number, bytes: Uint8Array): void => {
          assert.ok(writes <= failing, 'no write follows the one that failed');
          if (writes++ === failing) throw new EspError('IO', 'a bad sector');
          region.writeAt(offset, bytes);
        };
        const { disk } = openFat(memory, { region: { ...region, writeAt } });
        const model = new Model();
        for (const step of life) {
          await live(step, disk, model).catch((error: unknown) => {
            assert.ok(error instanceof EspError, String(error));
          });
        }
        openFat(memory);
      }),
      bounds(60),
    );
  });
});
