import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesToHex } from '@noble/hashes/utils.js';
import { rootHashOfData, rootHashOfPair } from '../../src/verity/computed-root-hash.ts';
import { blockSource, formatted, numberedBlocks, someParameters } from './a-pair.ts';

const superblock = someParameters({ dataBlocks: 300 });
const labour = { name: 'usr.erofs' };

describe('a root hash that nobody wrote down', () => {
  test('follows from the data and the parameters', async () => {
    const data = numberedBlocks(superblock);
    const { rootHash } = await formatted(data, superblock);
    assert.deepEqual(await rootHashOfData(blockSource(data), superblock, labour), {
      hex: bytesToHex(rootHash),
      designator: 'unknown',
    });
  });

  test('follows from a hash area, if all of the data belong to it', async () => {
    const data = numberedBlocks(superblock);
    const { hash, rootHash } = await formatted(data, superblock, 512);
    const pair = { data: blockSource(data), hash: blockSource(hash), offset: 512 };
    assert.deepEqual(await rootHashOfPair(pair, 'usr.verity', labour), {
      hex: bytesToHex(rootHash),
      designator: 'unknown',
      superblock,
    });
    data[0] = 1;
    await assert.rejects(rootHashOfPair(pair, 'usr.verity', labour), {
      code: 'VERITY_MALFORMED',
      message: 'usr.erofs: corrupt at byte 0: data block 0',
    });
    const short = { ...pair, data: blockSource(data.subarray(512)) };
    await assert.rejects(rootHashOfPair(short, 'usr.verity', labour), {
      message: 'usr.erofs: expected at least 1228800 bytes (1.2 MiB), got 1228288 bytes (1.2 MiB)',
    });
  });
});
