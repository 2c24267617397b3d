import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { partitionTypeGuid } from '../../src/gpt/partition-type.ts';
import { diskUuid, fileSystemUuid, partitionUuid } from '../../src/image/identity.ts';
import { parseUuid } from '../../src/verity/uuid.ts';
import { SEED } from './an-image.ts';

/** What systemd-repart 257 makes of the seed. */
describe('identifiers from a seed', () => {
  const seed = parseUuid(SEED) ?? assert.fail();
  const type = (name: string) => partitionTypeGuid(name, 'x86-64') ?? assert.fail(name);

  test('are those of systemd-repart: of the disk, of partitions and of their file systems', () => {
    assert.equal(diskUuid(seed), 'ea7f4643-964f-4528-9db5-281a46917034');
    const esp = partitionUuid(seed, type('esp'), 0);
    assert.equal(esp, '32807eda-354e-42c1-8e26-ef721f8a2243');
    assert.equal(fileSystemUuid(esp), 'b60b6dea-6d07-4e0f-a388-e5242742fd82');
    assert.equal(partitionUuid(seed, type('esp'), 1), 'bc4fc2ee-56ef-4238-bc50-a085c1133105');
    const usr = partitionUuid(seed, type('usr'), 0);
    assert.equal(usr, 'e4598f9e-6431-4efd-91da-f1c1fce6569c');
    assert.equal(fileSystemUuid(usr), '8705805d-8c04-403a-994d-4a40dddce684');
    assert.equal(partitionUuid(seed, type('root'), 0), 'cede29b8-b713-49ee-950f-d22d48b63c48');
  });
});
