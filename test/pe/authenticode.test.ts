import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { appendSections } from '../../src/pe/append-sections.ts';
import {
  authenticodeDigestInput,
  authenticodePieces,
  authenticodeRanges,
} from '../../src/pe/authenticode.ts';
import { certificateTable, signedLayout } from '../../src/pe/certificate-table.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';
import { aCertificateEntry, aPe, concat, countingBytes, layoutBytes, piecesBytes } from './a-pe.ts';

const parts = findParts();
const text = { name: '.text', bytes: countingBytes(700) };

function digest(bytes: Uint8Array): string {
  const sha256 = createHash('sha256');
  for (const chunk of authenticodeDigestInput(bytesSource(bytes))) sha256.update(chunk);
  return sha256.digest('hex');
}

test('the digest covers everything but the checksum, entry 4 and the certificate table', () => {
  const certificates = aCertificateEntry(countingBytes(50));
  const bytes = aPe({ certificateTable: certificates });
  const pe = parsePe(bytesSource(bytes));
  const covered = new Uint8Array(bytes.length);
  for (const { offset, size } of authenticodeRanges(pe).ranges)
    for (let at = offset; at < offset + size; at++) covered[at] = (covered[at] ?? 0) + 1;
  for (let at = 0; at < bytes.length; at++) {
    const isHole =
      (at >= pe.checksumOffset && at < pe.checksumOffset + 4) ||
      (at >= pe.certificateEntryOffset && at < pe.certificateEntryOffset + 8) ||
      at >= bytes.length - certificates.length;
    assert.equal(covered[at], isHole ? 0 : 1, `byte ${at}`);
  }
});

test('signing changes neither the digest nor, once more, the first signature', () => {
  for (const tail of [0, 1, 7, 8]) {
    const bytes = concat([aPe(), countingBytes(tail)]);
    const once = layoutBytes(signedLayout(bytesSource(bytes), 'a', countingBytes(333)), {
      a: bytes,
    });
    const twice = layoutBytes(signedLayout(bytesSource(once), 'b', countingBytes(444)), {
      b: once,
    });
    assert.deepEqual([digest(once), digest(twice)], [digest(bytes), digest(bytes)]);
    const table = certificateTable(bytesSource(twice), parsePe(bytesSource(twice)));
    assert.deepEqual(table, [countingBytes(333), countingBytes(444)]);
  }
});

test('sections out of file order are hashed by where they lie', () => {
  const sections = [text, { name: '.data', bytes: countingBytes(900) }];
  const bytes = aPe({ sections });
  const table = parsePe(bytesSource(bytes)).sectionTableOffset;
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(table + 40, table + 80), table);
  swapped.set(bytes.subarray(table, table + 40), table + 40);
  const { ranges } = authenticodeRanges(parsePe(bytesSource(swapped)));
  assert.deepEqual(
    ranges.map(({ offset }) => offset),
    ranges.map(({ offset }) => offset).toSorted((a, b) => a - b),
  );
});

test('a layout is hashed as it passes: its ranges ascend and give the digest of the file', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 5 }),
      (added) => {
        const layout = appendSections(
          aPe({ sections: [text] }),
          added.map((bytes, index) => ({ name: `.n${index}`, content: { kind: 'bytes', bytes } })),
        );
        let end = 0;
        for (const { offset, size } of layout.digestRanges) {
          assert.ok(offset >= end);
          end = offset + size;
        }
        const passed = createHash('sha256').update(piecesBytes(authenticodePieces(layout)));
        assert.equal(passed.digest('hex'), digest(layoutBytes(layout)));
      },
    ),
    { numRuns: 50 },
  );
});

test('a certificate table that is not the end of the file is refused', () => {
  const bytes = concat([
    aPe({ certificateTable: aCertificateEntry(countingBytes(8)) }),
    new Uint8Array(8),
  ]);
  assert.throws(() => digest(bytes), { code: 'SIGNATURE_MALFORMED' });
});

test("the digest of Debian's signed kernel is the one that its signature names", {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  const bytes = readFileSync(parts.kernel);
  const [blob] = certificateTable(bytesSource(bytes), parsePe(bytesSource(bytes)));
  assert.ok(blob);
  // DigestInfo of SpcIndirectDataContent: SHA-256, NULL, OCTET STRING of 32 bytes
  const prefix = Buffer.from('3031300d060960864801650304020105000420', 'hex');
  const at = Buffer.from(blob).indexOf(prefix) + prefix.length;
  assert.equal(digest(bytes), Buffer.from(blob.subarray(at, at + 32)).toString('hex'));
});
