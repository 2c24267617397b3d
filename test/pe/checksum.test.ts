import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { createChecksum } from '../../src/pe/checksum.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';

const parts = findParts();

/** The sum as the specification words it: 16 bits at a time, the carry added back at once. */
function naive(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum + bytes.length;
}

test('any cut into chunks, at any alignment in memory, compiled or not, gives the sum of the whole', () => {
  const byte = fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 255));
  const bytes = fc.array(byte, { maxLength: 90 }).map((all) => Uint8Array.from(all));
  const chunks = fc.array(fc.tuple(bytes, fc.nat({ max: 5 })));
  fc.assert(
    fc.property(chunks, fc.boolean(), (parts, isCompiled) => {
      const checksum = createChecksum(isCompiled);
      const whole: number[] = [];
      for (const [bytes, shift] of parts) {
        const memory = new Uint8Array(bytes.length + shift);
        memory.set(bytes, shift);
        checksum.update(memory.subarray(shift));
        whole.push(...bytes);
      }
      assert.equal(checksum.finish(whole.length), naive(Uint8Array.from(whole)));
    }),
    { numRuns: 600 },
  );
});

for (const isCompiled of [true, false]) {
  test(`eight mebibytes of the largest words lose no carry, ${isCompiled ? '' : 'not '}compiled`, () => {
    const bytes = new Uint8Array(8 * 1024 * 1024 + 3).fill(0xff);
    const checksum = createChecksum(isCompiled);
    checksum.update(bytes);
    assert.equal(checksum.finish(bytes.length), naive(bytes));
  });
}

test('the sum over the stub of systemd 252 is the one that its linker wrote', {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  const bytes = new Uint8Array(readFileSync(parts.stub['252']));
  const { checksumOffset } = parsePe(bytesSource(bytes));
  const view = new DataView(bytes.buffer);
  const written = view.getUint32(checksumOffset, true);
  view.setUint32(checksumOffset, 0, true);
  const checksum = createChecksum();
  checksum.update(bytes);
  assert.equal(checksum.finish(bytes.length), written);
});
