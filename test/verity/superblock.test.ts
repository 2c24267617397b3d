import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { formatSuperblock, readSuperblock, type Superblock } from '../../src/verity/superblock.ts';
import { someParameters } from './a-pair.ts';

const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });
const blockSize = fc.integer({ min: 9, max: 19 }).map((bits) => 2 ** bits);
const anySuperblock: fc.Arbitrary<Superblock> = fc.record(
  {
    algorithm: fc.constantFrom('sha1', 'sha224', 'sha256', 'sha384', 'sha512'),
    dataBlockSize: blockSize,
    hashBlockSize: blockSize,
    dataBlocks: fc.integer({ min: 1, max: 2 ** 34 - 1 }),
    salt: bytes(0, 256),
    uuid: bytes(16),
  },
  { noNullPrototype: true },
);

const read = (source: Uint8Array, offset = 0) =>
  readSuperblock(bytesSource(source), offset, 'usr.verity');

describe('a superblock', () => {
  test('that was written is read back, at any offset', () => {
    fc.assert(
      fc.property(anySuperblock, fc.nat(4096), (superblock, offset) => {
        const file = new Uint8Array(offset + 512);
        file.set(formatSuperblock(superblock), offset);
        assert.deepEqual(read(file, offset), superblock);
      }),
    );
  });

  const damages: readonly (readonly [at: number, value: number, expected: RegExp])[] = [
    [0, 0, /signature: expected "verity", got something else$/],
    [8, 2, /version: expected 1, got 2$/],
    [12, 0, /hash type: expected 1, got 0$/],
    [32, 0x1b, /hash algorithm: expected one of sha1,.*, got "\\u001bha256"$/],
    [65, 0x11, /data block size: expected a power of two from 512 to 524288, got 4352$/],
    [70, 0x20, /hash block size: .* got 2101248$/],
    [72, 0, /data blocks: .* got 0$/],
    [79, 0x80, /data blocks: /],
    [81, 2, /salt size: expected at most 256, got 544$/],
  ];
  for (const [at, value, expected] of damages) {
    test(`with ${value} at byte ${at} is refused: ${expected.source}`, () => {
      const file = formatSuperblock(someParameters());
      file[at] = value;
      assert.throws(() => read(file), { code: 'VERITY_MALFORMED', message: expected });
    });
  }

  test('is not found in a file that is too short', () => {
    assert.throws(() => read(new Uint8Array(1000), 512), {
      message: 'usr.verity: verity superblock at offset 512: size: expected 512 bytes, got 488',
    });
  });

  test('is found in the last 512 bytes of a file, and not in 511', () => {
    const file = formatSuperblock(someParameters());
    assert.equal(read(file).algorithm, 'sha256');
    assert.throws(() => read(file.subarray(0, -1)), {
      message: /size: expected 512 bytes, got 511/,
    });
  });

  test('has a salt of at most 256 bytes', () => {
    const salt = new Uint8Array(256).fill(7);
    const file = formatSuperblock(someParameters({ salt }));
    assert.deepEqual(read(file).salt, salt);
    new DataView(file.buffer).setUint16(80, 257, true);
    assert.throws(() => read(file), { message: /salt size: expected at most 256, got 257/ });
  });

  test('of any bytes is either read or refused', () => {
    const mutated = fc
      .tuple(anySuperblock, fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { maxLength: 6 }))
      .map(([superblock, changes]) => {
        const file = formatSuperblock(superblock);
        for (const [at, value] of changes) file[at] = value;
        return file;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, bytes(0, 600)), (file) => {
        try {
          const { dataBlocks, salt } = read(file);
          assert.ok(dataBlocks > 0 && salt.length <= 256);
        } catch (error) {
          assert.ok(error instanceof EspError && error.code === 'VERITY_MALFORMED', String(error));
        }
      }),
      { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });
});
