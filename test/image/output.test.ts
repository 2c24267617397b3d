import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { placeOutput } from '../../src/image/output.ts';
import { ioError } from '../../src/io-error.ts';
import type { Machine } from '../../src/process/machine.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { aDirectory } from '../tree/a-tree.ts';

describe('an image that no file can hold', () => {
  test('is told as a lack of space before a byte is written, and leaves nothing', async (t) => {
    const at = aDirectory(t);
    const real = nodeMachine(new URL(import.meta.url));
    // The limit of ext4 is 16 TiB, and other file systems have none that a number reaches.
    const openRaw: Machine['openRaw'] = (path, use) => ({
      ...real.openRaw(path, use),
      cut() {
        throw ioError('cut', path, Object.assign(new Error('too large'), { code: 'EFBIG' }));
      },
    });
    const workshop = { disk: nodeDisk(), machine: { openRaw } };
    const placed = placeOutput(at('disk.raw'), 17 * 2 ** 40, workshop, async () => assert.fail());
    await assert.rejects(placed, {
      code: 'IMAGE_FULL',
      status: 4,
      message: /holds no file of 18691697672192 bytes/,
    });
    assert.deepEqual(readdirSync(at()), []);
  });
});
