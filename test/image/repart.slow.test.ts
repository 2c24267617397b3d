/** The same definitions, made by systemd-repart and by us: the same disk, byte for byte, and the same JSON. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { Workbench } from '../command/a-uki.ts';
import { aWorkbench } from '../command/a-uki.ts';
import { repart, repartSeed } from '../lab/repart.ts';
import { hasToolRoot } from '../lab/tool-root.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { define } from './an-image.ts';

const skip = !hasToolRoot() && 'SKIPPED, missing parts: node test/lab/fetch.ts';
const group = 'VerityMatchKey=usr';

/** Definitions by what they show, and the size of the disk. EROFS and FAT are of our own making. */
const CASES: Readonly<Record<string, readonly [size: string, define: (bench: Workbench) => void]>> =
  {
    'a signed verity group whose hash tree covers the content alone': [
      'auto',
      (bench) => {
        define(bench, '10-hash', 'Type=usr-verity', 'Verity=hash', group, 'Minimize=best');
        define(
          bench,
          '20-data',
          'Type=usr',
          'Verity=data',
          group,
          `CopyBlocks=${bench.path('data')}`,
        );
        define(bench, '30-sig', 'Type=usr-verity-sig', 'Verity=signature', group);
        define(bench, '40-home', 'Type=home');
      },
    ],
    'a hash tree of blocks of 4096 bytes over a whole partition': [
      'auto',
      (bench) => {
        const blocks = ['VerityDataBlockSizeBytes=4096', 'VerityHashBlockSizeBytes=4096'];
        define(bench, '10-hash', 'Type=root-verity', 'Verity=hash', group, ...blocks);
        const size = ['SizeMinBytes=3M', 'SizeMaxBytes=3M'];
        const data = ['Verity=data', group, `CopyBlocks=${bench.path('data')}`, ...blocks];
        define(bench, '20-data', 'Type=root', ...data, ...size);
      },
    ],
    'weights, bounds, paddings, labels, flags and drop-ins on a disk with room': [
      '260M',
      (bench) => {
        define(bench, '00-esp', 'Type=esp', 'SizeMinBytes=33M', 'SizeMaxBytes=100M');
        define(bench, '10-root', 'Type=root', 'Weight=2000', 'SizeMaxBytes=90M');
        define(bench, '20-home', 'Type=home', 'PaddingMinBytes=1M', 'ReadOnly=yes');
        bench.put('defs/20-home.conf.d/a.conf', '[Partition]\nSizeMinBytes=20M\nLabel=at-%%home\n');
        define(bench, '30-swap', 'Type=swap', 'SizeMaxBytes=64M', 'NoAuto=yes');
        define(bench, '40-x', 'Type=linux-generic', 'Weight=500', 'PaddingWeight=100');
        define(bench, '50-x', 'Type=linux-generic', 'Label=x', 'PaddingMinBytes=5000');
        define(
          bench,
          '60-var',
          'Type=var',
          'UUID=5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11',
          'NoAuto=yes',
        );
        define(bench, '70-usr', 'Type=usr-arm64');
      },
    ],
  };

describe('systemd-repart and we make the same disk', { skip }, () => {
  for (const [what, [size, place]] of Object.entries(CASES)) {
    test(`of ${what}`, async (t) => {
      const bench = aWorkbench(t);
      // No multiple of the grain, which the hash tree has to know.
      bench.put('data', countingBytes(512 * 5001));
      place(bench);
      const [definitions, image] = [bench.path('defs'), bench.path('disk.raw')];
      const key = { certificate: certificatePath, privateKey: privateKeyPath };
      const theirs = repart({ definitions, image, empty: 'create', key, size });
      const disk = readFileSync(image);
      const ran = await bench.run([
        ...['image', 'build', '--definitions', definitions, '--seed', repartSeed, '--size', size],
        ...['--sector-size', '512', '--output', image, '--force', '--json'],
        ...['--certificate', certificatePath, '--private-key', privateKeyPath],
        '--allow-insecure-key',
      ]);
      assert.equal(ran.error, undefined, ran.error?.message);
      assert.deepEqual(JSON.parse(ran.output), JSON.parse(theirs));
      assert.ok(readFileSync(image).equals(disk));
    });
  }
});
