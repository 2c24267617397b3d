/** An image is whole to the last byte of what its headers claim, and one byte less is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { aCertificateEntry, aPe, countingBytes } from './a-pe.ts';

const parse = (bytes: Uint8Array) => parsePe(bytesSource(bytes), 'image.efi');

/** A copy of an image with 32 bits of it changed. */
function patched(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(offset, value, true);
  return copy;
}

test('a section that ends with the file is whole, and one that ends a byte behind it is not', () => {
  const bytes = aPe({ sections: [{ name: '.text', bytes: countingBytes(0x400) }] });
  const { sections, fileSize } = parse(bytes);
  const [section] = sections;
  assert.ok(section);
  assert.equal(section.pointerToRawData + section.sizeOfRawData, fileSize);
  assert.throws(() => parse(bytes.subarray(0, -1)), {
    code: 'PE_MALFORMED',
    message: /raw data of "\.text".*expected 1024 bytes, got 1023 before the file ends/,
  });
});

test('a certificate table that ends a byte behind the file is refused', () => {
  const bytes = aPe({ certificateTable: aCertificateEntry(countingBytes(40)) });
  assert.equal(
    parse(bytes).certificateTable.offset + parse(bytes).certificateTable.size,
    bytes.length,
  );
  assert.throws(() => parse(bytes.subarray(0, -1)), { message: /certificate table/ });
});

test('a section that begins one byte before the one ahead of it ends is refused', () => {
  const bytes = aPe({
    sections: [
      { name: '.a', bytes: countingBytes(600) },
      { name: '.b', bytes: countingBytes(10) },
    ],
  });
  const { sections, sectionTableOffset } = parse(bytes);
  const [first, second] = sections;
  assert.ok(first && second);
  const pointer = sectionTableOffset + 40 + 20;
  assert.throws(() => parse(patched(bytes, pointer, second.pointerToRawData - 1)), {
    message: /raw data of "\.b".*an overlap/,
  });
});
