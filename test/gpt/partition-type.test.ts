import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  PARTITION_TYPES,
  parsePartitionType,
  partitionTypeGuid,
  typeIdentifier,
} from '../../src/gpt/partition-type.ts';
import { partitionUuids } from '../../src/verity/root-hash.ts';
import { attempt } from '../lab/run.ts';

describe('the partition types', () => {
  test('are those that the specification defines for the architectures that are common', () => {
    const known = {
      'root-x86-64': '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
      'usr-x86-64-verity': '77ff5f63-e7b6-4633-acf4-1565b864c0e6',
      'usr-x86-64-verity-sig': 'e7bb33fb-06cf-4e81-8273-e543b413e2e2',
      'root-arm64-verity': 'df3300ce-d69f-4c92-978c-9bfb0f38d820',
      'usr-arm64': 'b0e01050-ee5f-4390-949a-9101b17104e9',
      'root-riscv64-verity-sig': 'efe0f087-ea8d-4469-821a-4c2a96a8386a',
      'usr-loongarch64-verity': 'f46b2c26-59ae-48f0-9106-c50ed47f673d',
      'root-x86': '44479540-f297-41b2-9af7-d131d5f0458a',
    };
    for (const [identifier, guid] of Object.entries(known)) {
      const type = parsePartitionType(identifier);
      assert.ok(type);
      assert.equal(typeIdentifier(type), identifier);
      assert.equal(parsePartitionType(guid.toUpperCase()), type);
    }
  });

  test('are all that systemd-id128 knows of root and usr', (t) => {
    const { status, stdout } = attempt('systemd-id128', ['show', '--uuid']);
    if (status !== 0) return t.skip('needs systemd-id128, of systemd');
    const theirs = [...stdout.matchAll(/^((?:root|usr)-\S+) +(\S+)$/gm)]
      .map(([, identifier = '', guid = '']) => `${identifier} ${guid}`)
      // These name the types of whichever machine it runs on.
      .filter((line) => !/^(root|usr)-(verity|secondary)/.test(line));
    const ours = [...PARTITION_TYPES].map(([guid, type]) => `${typeIdentifier(type)} ${guid}`);
    assert.deepEqual(ours.sort(), theirs.sort());
  });

  test('have no names besides their own: what every object has is none', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      assert.equal(partitionTypeGuid(name, 'x86-64'), undefined);
      assert.equal(parsePartitionType(name), undefined);
    }
    assert.equal(partitionTypeGuid('esp', ''), 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b');
  });

  test('of other partitions mean nothing to us', () => {
    for (const text of ['esp', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', 'usr', '__proto__']) {
      assert.equal(parsePartitionType(text), undefined);
    }
  });
});

test('the UUIDs of a pair are the first and the last half of 32 bytes of root hash', () => {
  const hex = '00112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100';
  assert.deepEqual(partitionUuids(hex), {
    data: '00112233-4455-6677-8899-aabbccddeeff',
    hash: 'ffeeddcc-bbaa-9988-7766-554433221100',
  });
  const sha1 = partitionUuids('706036aaabc085a9cda0ec53f1de59e9f3dac30d');
  assert.deepEqual(sha1, {
    data: '706036aa-abc0-85a9-cda0-ec53f1de59e9',
    hash: 'abc085a9-cda0-ec53-f1de-59e9f3dac30d',
  });
});
