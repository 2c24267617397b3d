import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesToHex } from '@noble/hashes/utils.js';
import { checkAll, checkTop } from '../../src/verity/check.ts';
import type { Superblock } from '../../src/verity/superblock.ts';
import { blockSource, formatted, numberedBlocks, someParameters } from './a-pair.ts';

/** 300 blocks: a tree of two levels, three blocks below one, behind each other at an offset. */
const superblock = someParameters({ dataBlocks: 300 });
const OFFSET = 8192;

async function aPair(parameters: Superblock = superblock) {
  const data = numberedBlocks(parameters);
  const { hash, rootHash } = await formatted(data, parameters, OFFSET);
  return { data, hash, rootHash, parameters };
}

function check({ data, hash, rootHash, parameters }: Awaited<ReturnType<typeof aPair>>) {
  const pair = { data: blockSource(data), hash: blockSource(hash), parameters, offset: OFFSET };
  return checkAll(pair, rootHash, { name: 'data' });
}

function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
}

describe('a check of all', () => {
  for (const dataBlocks of [1, 2, 128, 129, 300]) {
    test(`finds ${dataBlocks} blocks intact`, async () => {
      const pair = await aPair(someParameters({ dataBlocks }));
      assert.deepEqual(await check(pair), { kind: 'intact' });
    });
  }

  test('names the first data block of which a bit is different', async () => {
    const pair = await aPair();
    flip(pair.data, 299 * 4096 + 4095);
    assert.deepEqual(await check(pair), { kind: 'data-block', block: 299, offset: 299 * 4096 });
    flip(pair.data, 7 * 4096);
    assert.deepEqual(await check(pair), { kind: 'data-block', block: 7, offset: 7 * 4096 });
  });

  test('names a block of the tree rather than the data below it', async () => {
    const pair = await aPair();
    // Superblock at 8192, the single block at 12288, the three that hold digests of data behind it.
    flip(pair.hash, 16384 + 4096 + 40);
    assert.deepEqual(await check(pair), { kind: 'hash-block', level: 0, block: 1, offset: 20480 });
  });

  test('of another tree, or of a single other block, names both root hashes', async () => {
    const pair = await aPair();
    flip(pair.hash, 12288);
    const finding = await check(pair);
    assert.ok(finding.kind === 'root-hash');
    assert.equal(finding.expected, bytesToHex(pair.rootHash));
    const single = await aPair(someParameters({ dataBlocks: 1 }));
    flip(single.data, 5);
    assert.equal((await check(single)).kind, 'root-hash');
  });

  test('says which of the two is too short', async () => {
    const pair = await aPair();
    assert.deepEqual(await check({ ...pair, data: pair.data.subarray(1) }), {
      kind: 'short',
      of: 'data',
      expected: 300 * 4096,
      got: 300 * 4096 - 1,
    });
    assert.deepEqual(await check({ ...pair, hash: pair.hash.subarray(0, 20000) }), {
      kind: 'short',
      of: 'hash',
      expected: 28672,
      got: 20000,
    });
  });
});

test('a look at the top reads no data but those of a single block', async () => {
  const pair = await aPair();
  flip(pair.data, 0);
  const { parameters } = pair;
  const sources = { data: blockSource(pair.data), hash: blockSource(pair.hash) };
  const found = checkTop({ ...sources, parameters, offset: OFFSET }, pair.rootHash);
  assert.deepEqual(found, { kind: 'intact' });
});
