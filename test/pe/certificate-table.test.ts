import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { attachSignature, certificateTable, signedLayout } from '../../src/pe/certificate-table.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { aCertificateEntry, aPe, concat, countingBytes, layoutBytes } from './a-pe.ts';

function blobs(table: Uint8Array): readonly Uint8Array[] {
  const source = bytesSource(aPe({ certificateTable: table }));
  return certificateTable(source, parsePe(source));
}

test('every PKCS#7 entry is read, and entries of other kinds are passed over', () => {
  const [first, second] = [countingBytes(33), countingBytes(64)];
  const guid = aCertificateEntry(countingBytes(24), 0x0ef1);
  const old = aCertificateEntry(countingBytes(24), 2, 0x0100);
  const table = concat([aCertificateEntry(first), guid, old, aCertificateEntry(second)]);
  assert.deepEqual(blobs(table), [first, second]);
  assert.deepEqual(certificateTable(bytesSource(aPe()), parsePe(bytesSource(aPe()))), []);
});

test('an entry that does not fit its table is refused with its offset', () => {
  for (const length of [0, 8, 41, 0xffff_ffff]) {
    const entry = aCertificateEntry(countingBytes(32));
    new DataView(entry.buffer).setUint32(0, length, true);
    assert.throws(() => blobs(entry), {
      code: 'SIGNATURE_MALFORMED',
      message: `certificate table at offset 1536: expected an entry of 9 to 40 bytes, got ${length}`,
    });
  }
  const trailing = concat([aCertificateEntry(countingBytes(32)), new Uint8Array(4)]);
  assert.throws(() => blobs(trailing), { code: 'SIGNATURE_MALFORMED' });
});

test('any table whatever yields entries or a SIGNATURE_MALFORMED', () => {
  const lengths = fc.constantFrom(0, 7, 8, 9, 16, 24, 40);
  const entry = fc
    .tuple(lengths, fc.uint8Array({ minLength: 12, maxLength: 40 }))
    .map(([length, bytes]) => concat([Uint8Array.of(length, 0, 0, 0, 0, 2, 2, 0), bytes]));
  const table = fc.array(fc.oneof(entry, fc.uint8Array({ maxLength: 30 })), { minLength: 1 });
  fc.assert(
    fc.property(table.map(concat), (bytes) => {
      try {
        const total = blobs(bytes).reduce((sum, blob) => sum + blob.length, 0);
        assert.ok(total <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'SIGNATURE_MALFORMED', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test('an attached signature is padded to 8 bytes, and the entry names the table', () => {
  for (const length of [1, 7, 8, 1500]) {
    const { append, entry } = attachSignature(
      { size: 4096, certificateEntryOffset: 0xe8 },
      countingBytes(length),
    );
    assert.equal(append.length % 8, 0);
    assert.equal(entry.offset, 0xe8);
    const view = new DataView(entry.bytes.buffer);
    assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true)], [4096, append.length]);
    assert.equal(new DataView(append.buffer).getUint32(0, true), 8 + length);
  }
});

test('an image that ends between two words, or behind its table, takes no signature', () => {
  const der = countingBytes(9);
  const certificateEntryOffset = 0xe8;
  const after = { offset: 4000, size: 88 };
  assert.throws(() => attachSignature({ size: 4097, certificateEntryOffset }, der), {
    code: 'SIGNATURE_MALFORMED',
  });
  assert.throws(
    () => attachSignature({ size: 4096, certificateEntryOffset, certificateTable: after }, der),
    { code: 'SIGNATURE_MALFORMED' },
  );
});

test('a last entry without its padding is padded before the next one', () => {
  const unpadded = aCertificateEntry(countingBytes(29)).subarray(0, 37);
  const bytes = aPe({ certificateTable: unpadded });
  const signed = layoutBytes(signedLayout(bytesSource(bytes), 'f', countingBytes(11)), {
    f: bytes,
  });
  const table = certificateTable(bytesSource(signed), parsePe(bytesSource(signed)));
  assert.deepEqual(table, [countingBytes(29), countingBytes(11)]);
});

test('a file is signed by reference: only its headers are in memory', () => {
  const bytes = aPe({ sections: [{ name: '.text', bytes: countingBytes(100_000) }] });
  const { pieces } = signedLayout(bytesSource(bytes), '/store/kernel', countingBytes(100));
  assert.deepEqual(
    pieces.map(({ kind }) => kind),
    ['bytes', 'file', 'bytes'],
  );
});

test('a source is never changed, whatever kind of bytes it has', () => {
  for (const bytes of [aPe(), Buffer.from(aPe())]) {
    const before = Uint8Array.from(bytes);
    signedLayout(bytesSource(bytes), '/x', countingBytes(100));
    assert.deepEqual(Uint8Array.from(bytes), before);
  }
});
