import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bytesToHex } from '@noble/hashes/utils.js';
import { nodeMachine } from '../../src/process/node-machine.ts';
import type { ThreadStart } from '../../src/verity/block-thread.ts';
import { dataDigests } from '../../src/verity/data-digests.ts';
import { hashArea } from '../../src/verity/hash-area.ts';
import { aDirectory } from './a-directory.ts';
import { blockSource, formatted, numberedBlocks, someParameters } from './a-pair.ts';

/** Root hashes and sizes that are known from elsewhere: salt 00…1f, blocks of 4096, sha256, no UUID. */
const VECTORS: readonly (readonly [blocks: number, rootHash: string, size: number])[] = [
  [1, '4ce3ecf32c133bf6321901b6092219474b6ac91a19d0304621d629e6bb9987dc', 4096],
  [2, '7e36519289f06bd70907c8b400c56fccb0e089eb251d935a9b7ee7ba7787dc85', 8192],
  [128, 'af707baf273fabdd52780908cb444858f279708a395e169c8dc25592e1dae9f7', 8192],
  [129, 'b5ad8a9dd55da570528cb4eb5a1dbec40b24dc114252eb00c238021a6f968fc0', 16384],
  [20000, 'f60218244a14fdda69d94ad3962f2ea357f21b428d81e666dc0ffccd468fd35f', 659456],
];

describe('a hash tree', () => {
  for (const [dataBlocks, expected, size] of VECTORS) {
    test(`over ${dataBlocks} blocks has the root hash and the size that are known`, async () => {
      const superblock = someParameters({ dataBlocks });
      const { hash, rootHash } = await formatted(numberedBlocks(superblock), superblock);
      assert.equal(bytesToHex(rootHash), expected);
      assert.equal(hash.length, size);
    });
  }

  test('begins at the next hash block behind the superblock', () => {
    const at = (offset: number, hashBlockSize: number) =>
      hashArea(someParameters({ hashBlockSize }), offset).levels[0]?.offset;
    assert.equal(at(0, 512), 512);
    assert.equal(at(0, 4096), 4096);
    assert.equal(at(4096, 4096), 8192);
    assert.equal(at(3584, 4096), 4096);
    assert.equal(at(512, 65536), 65536);
  });
});

describe('the digests of data', () => {
  const parameters = someParameters({ dataBlockSize: 512, dataBlocks: 128 * 1024 + 1 });
  const data = numberedBlocks(parameters);

  async function digests(of: Uint8Array, thread?: ThreadStart): Promise<Uint8Array> {
    const found: Uint8Array[] = [];
    const labour = { name: 'usr.erofs', ...(thread && { thread }) };
    for await (const piece of dataDigests(blockSource(of), parameters, labour)) found.push(piece);
    return Buffer.concat(found);
  }

  test('are the same with a second thread, and with one that breaks', async (t) => {
    const path = aDirectory(t)('usr.erofs');
    writeFileSync(path, data);
    const alone = await digests(data);
    assert.equal(alone.length, 32 * parameters.dataBlocks);
    const machine = nodeMachine(new URL('../support/hash-worker.ts', import.meta.url));
    assert.deepEqual(await digests(data, { machine, path }), alone);
    // It finds the end of the data before it should.
    writeFileSync(path, data.subarray(0, 20 * 1024 * 1024));
    assert.deepEqual(await digests(data, { machine, path }), alone);
    assert.deepEqual(await digests(data, { machine, path: `${path}.none` }), alone);
    const none = nodeMachine(new URL('file:///there/is/no/such/entry.mjs'));
    assert.deepEqual(await digests(data, { machine: none, path }), alone);
    // Nor has the running system data of a disk that is no part of it.
    assert.deepEqual(await digests(data, { machine, path: undefined }), alone);
  });

  test('are refused of data that end too early', async () => {
    await assert.rejects(digests(data.subarray(512)), {
      code: 'SOURCE_CHANGED',
      message: 'usr.erofs: expected 67109376 bytes, got 67108864',
    });
  });
});
