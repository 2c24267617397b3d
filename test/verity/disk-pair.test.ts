import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesToHex } from '@noble/hashes/utils.js';
import * as fc from 'fast-check';
import { findPair } from '../../src/verity/disk-pair.ts';
import { partitionUuids } from '../../src/verity/root-hash.ts';
import { aDisk } from '../gpt/a-disk.ts';
import { blockSource, formatted, numberedBlocks, someParameters } from './a-pair.ts';

const [USR, USR_VERITY] = [
  '8484680c-9521-48c6-9c11-b0720656f69e',
  '77ff5f63-e7b6-4633-acf4-1565b864c0e6',
];
const ESP = {
  type: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  uuid: '11111111-2222-4333-8444-555555555555',
  bytes: new Uint8Array(4096),
};
const superblock = someParameters({ dataBlocks: 300 });
const data = numberedBlocks(superblock);
const deep = { name: 'disk.raw' };

/** A disk with a verity pair, and the root hash in hexadecimal. */
async function aVerityDisk() {
  const { hash, rootHash } = await formatted(data, superblock);
  const hex = bytesToHex(rootHash);
  const uuids = partitionUuids(hex);
  const partitions = [
    ESP,
    { type: USR_VERITY, uuid: uuids.hash, bytes: hash },
    { type: USR, uuid: uuids.data, bytes: data },
  ];
  return { hex, uuids, hash, partitions };
}

const find = (disk: Uint8Array, hex: string, look = {}) =>
  findPair(blockSource(disk), 'disk.raw', hex, look);

describe('the pair of a root hash', () => {
  test('is found by the UUIDs that follow from it, and its tree belongs to it', async () => {
    const { hex, partitions } = await aVerityDisk();
    const found = await find(aDisk(partitions), hex);
    assert.ok(found.kind === 'found');
    assert.deepEqual([found.data.number, found.hash.number], [3, 2]);
    assert.deepEqual(found.superblock, superblock);
    assert.equal((await find(aDisk(partitions), hex, { deep })).kind, 'found');
  });

  test('that is not there is missing by name', async () => {
    const { hex, uuids, partitions } = await aVerityDisk();
    assert.deepEqual(await find(aDisk([ESP]), hex), {
      kind: 'absent',
      missing: [
        { content: 'data', uuid: uuids.data },
        { content: 'hash', uuid: uuids.hash },
      ],
    });
    assert.deepEqual(await find(aDisk(partitions.slice(0, 2)), hex), {
      kind: 'absent',
      missing: [{ content: 'data', uuid: uuids.data }],
    });
  });

  test('with a tree of other data is different', async () => {
    const { hex, hash, partitions } = await aVerityDisk();
    hash[4096] = 0xff;
    const found = await find(aDisk(partitions), hex);
    assert.ok(found.kind === 'different' && found.finding.kind === 'root-hash');
    assert.equal(found.finding.expected, hex);
  });

  test('without a superblock, or cut short, is different', async () => {
    const { hex, hash, partitions } = await aVerityDisk();
    const [esp, hashPartition, dataPartition] = partitions;
    assert.ok(esp && hashPartition && dataPartition);
    const cut = { ...dataPartition, bytes: data.subarray(0, 4096) };
    const short = await find(aDisk([esp, hashPartition, cut]), hex);
    assert.ok(short.kind === 'different' && short.finding.kind === 'short');
    hash[0] = 0;
    const none = await find(aDisk(partitions), hex);
    assert.ok(none.kind === 'different' && none.finding.kind === 'superblock');
    assert.match(none.finding.because, /^disk.raw partition 2: verity superblock at offset 0: /);
  });

  test('with one bit of its data different is found so only by a deep look', async () => {
    const { hex, partitions } = await aVerityDisk();
    const disk = aDisk(partitions);
    const look = await find(disk, hex);
    assert.ok(look.kind === 'found');
    const at = look.data.offset + 123 * 4096 + 5;
    disk[at] = (disk[at] ?? 0) ^ 1;
    assert.equal((await find(disk, hex)).kind, 'found');
    const deeper = await find(disk, hex, { deep });
    assert.ok(deeper.kind === 'different');
    assert.deepEqual(deeper.finding, { kind: 'data-block', block: 123, offset: 123 * 4096 });
  });

  test('in one partition is found by the first half of the hash alone', async () => {
    const { hash, rootHash } = await formatted(data, superblock, data.length);
    const both = Uint8Array.from(hash);
    both.set(data);
    const hex = bytesToHex(rootHash);
    const partition = { type: USR, uuid: partitionUuids(hex).data, bytes: both };
    const look = { hashOffset: data.length, deep };
    const found = await find(aDisk([ESP, partition]), hex, look);
    assert.ok(found.kind === 'found' && found.hash === found.data);
    assert.deepEqual(await find(aDisk([ESP]), hex, look), {
      kind: 'absent',
      missing: [{ content: 'data', uuid: partition.uuid }],
    });
  });

  test('is found or different, in time, whatever its hash partition holds', async () => {
    const { hex, hash, partitions } = await aVerityDisk();
    const changes = fc.array(fc.tuple(fc.nat(360), fc.nat(255)), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = Uint8Array.from(hash);
        for (const [at, value] of edits) bytes[at] = value;
        const changed = partitions.with(1, { ...ESP, ...partitions[1], bytes });
        const { kind } = await find(aDisk(changed), hex, { deep });
        assert.ok(kind === 'found' || kind === 'different', kind);
      }),
      { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });
});
