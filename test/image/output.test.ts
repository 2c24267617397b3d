import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { processContext } from '../../src/command/process-context.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { claimOutput, placeOutput } from '../../src/image/output.ts';
import { ioError } from '../../src/io-error.ts';
import type { Machine } from '../../src/process/machine.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { aDirectory, plant } from '../tree/a-tree.ts';

function anOutput(t: TestContext) {
  const at = aDirectory(t);
  const context = {
    ...processContext(new URL(import.meta.url)),
    environment: { TMPDIR: at() },
    uid: 1,
  };
  const claim = (name: string, isForced = false) =>
    claimOutput(at(name), { verb: 'image build', isForced }, context);
  return { at, claim, context };
}

describe('an output', () => {
  test('belongs to one run at a time, whichever way it is named', async (t) => {
    const { at, claim } = anOutput(t);
    symlinkSync('.', at('link'));
    {
      using _claim = await claim('disk.raw');
      using _other = await claim('other.raw');
      await assert.rejects(claim('link/disk.raw', true), {
        code: 'LOCKED',
        message: /at work on .*link\/disk\.raw \(image build, /,
      });
    }
    (await claim('link/disk.raw')).release();
  });

  test('is refused with the name that it has meanwhile in mind', async (t) => {
    const { claim } = anOutput(t);
    await assert.rejects(claim(`${'n'.repeat(236)}.raw`), { message: /is too long a name/ });
    (await claim(`${'n'.repeat(235)}.raw`)).release();
  });

  test('is made under a name of its own, and never through a link that lies there', async (t) => {
    const { at, context } = anOutput(t);
    plant(at, { precious: 'mine' });
    symlinkSync('precious', at('.disk.raw.espalier-tmp'));
    await placeOutput(at('disk.raw'), 4, context, async (file) =>
      file.writeAt(0, Buffer.from('disk')),
    );
    assert.equal(readFileSync(at('precious'), 'utf8'), 'mine');
    assert.equal(readFileSync(at('disk.raw'), 'utf8'), 'disk');
    assert.equal(existsSync(at('.disk.raw.espalier-tmp')), false);
  });
});

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
