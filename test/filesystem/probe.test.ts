import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { probe } from '../../src/filesystem/probe.ts';
import { openRaw } from '../../src/process/raw-file.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory } from '../tree/a-tree.ts';

const UUID = '01234567-89ab-4def-8123-456789abcdef';

/** What makes each file system on a file. */
const MAKERS: readonly (readonly [type: string, size: string, ...argv: string[]])[] = [
  ['ext4', '2M', 'mkfs.ext4', '-q', '-F', '-L', 'label', '-U', UUID],
  ['swap', '1M', 'mkswap', '-q', '-L', 'label', '-U', UUID],
  ['vfat', '40M', 'mkfs.vfat', '-F', '32', '-n', 'LABEL', '-i', '0123ABCD'],
  ['vfat', '10M', 'mkfs.vfat', '-F', '16', '-n', 'LABEL', '-i', '0123ABCD'],
];

const absent = missingTools(['dosfstools', 'e2fsprogs']);
const skip = absent.length > 0 && `install it: ${installCommand(absent)}`;

describe('what lies in a partition', { skip }, () => {
  for (const [type, size, program, ...args] of MAKERS) {
    test(`is told as blkid tells it: ${type} of ${size}`, (t) => {
      const at = aDirectory(t);
      run('truncate', ['-s', size, at('a')]);
      run(program ?? '', [...args, at('a')]);
      using file = openRaw(at('a'), 'read');
      const told = run('blkid', ['-p', '-o', 'export', at('a')]);
      const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(told)?.[1];
      assert.deepEqual(probe(file), {
        type: value('TYPE'),
        label: value('LABEL'),
        uuid: value('UUID'),
      });
    });
  }

  test('is nothing where nothing is known, and costs no more than a look', () => {
    assert.equal(probe(bytesSource(new Uint8Array(100_000))), undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void probe(bytesSource(bytes))),
    );
  });
});
