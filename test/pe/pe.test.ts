import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteSource, bytesSource, readRange } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';
import { aCertificateEntry, aPe, countingBytes, OPTIONAL_HEADER, PE_OFFSET } from './a-pe.ts';

const parts = findParts();

function parse(bytes: Uint8Array) {
  return parsePe(bytesSource(bytes), 'image.efi');
}

/** A copy of an image with 32 bits of it changed. */
function patched(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(offset, value, true);
  return copy;
}

test('headers are read as they were written, for 32 and 64 bits', () => {
  for (const kind of ['PE32', 'PE32+'] as const) {
    const content = countingBytes(700);
    const bytes = aPe({ kind, sections: [{ name: '.text', bytes: content }] });
    const pe = parse(bytes);
    assert.equal(pe.kind, kind);
    assert.equal(pe.machine, 0x8664);
    assert.equal(pe.subsystem, 10);
    assert.equal(pe.majorImageVersion, 257);
    assert.deepEqual(pe.certificateTable, { offset: 0, size: 0 });
    const section = findSection(pe, '.text');
    assert.ok(section);
    assert.deepEqual(readSection(bytesSource(bytes), section, 1000), content);
    assert.throws(() => readSection(bytesSource(bytes), section, 699), { code: 'FILE_TOO_LARGE' });
  }
});

test('a section of more virtual than raw bytes yields its raw bytes', () => {
  const bytes = aPe();
  const table = parse(bytes).sectionTableOffset;
  const image = patched(bytes, table + 8, 0x10_0000);
  const [section] = parse(image).sections;
  assert.ok(section);
  assert.equal(readSection(bytesSource(image), section, 1 << 20).length, 0x400);
});

test('an image cut short anywhere is refused', () => {
  const certificateTable = aCertificateEntry(countingBytes(40));
  const bytes = aPe({ certificateTable });
  for (let length = 0; length < bytes.length; length += length < 0x220 ? 1 : 97)
    assert.throws(() => parse(bytes.subarray(0, length)), { code: 'PE_MALFORMED' });
});

test('a truncated section is refused with its offset, expected and got', () => {
  assert.throws(() => parse(aPe().subarray(0, 0x500)), {
    message:
      'image.efi: raw data of ".text" at offset 0x200: expected 1024 bytes, got 768 before the file ends',
  });
});

test('what cannot be whole is refused, each with its own words', () => {
  const two = aPe({
    sections: [
      { name: '.a', bytes: countingBytes(600) },
      { name: '.b', bytes: countingBytes(10) },
    ],
  });
  const table = parse(two).sectionTableOffset;
  const entry = parse(two).certificateEntryOffset;
  const cases: readonly (readonly [offset: number, value: number, words: RegExp])[] = [
    [0, 0, /DOS header at offset 0x0/],
    [0x3c, 0x7fff_ffff, /header at offset 0x7fffffff/],
    [PE_OFFSET, 0, /signature at offset 0x40/],
    [PE_OFFSET + 4, 0xffff_8664, /at most 512 sections, got 65535/],
    [OPTIONAL_HEADER, 0x0107, /optional header magic at offset 0x58: expected 0x10b or 0x20b/],
    [OPTIONAL_HEADER + 108, 4, /NumberOfRvaAndSizes at offset 0xc4: expected 5 to 16, got 4/],
    [OPTIONAL_HEADER + 108, 17, /NumberOfRvaAndSizes/],
    [OPTIONAL_HEADER + 60, 0x100, /SizeOfHeaders at offset 0x94: expected at least/],
    [OPTIONAL_HEADER + 60, 0x400, /raw data of ".a" at offset 0x200: .* got an overlap/],
    [table + 20, 0x100, /raw data of ".a" at offset 0x100: .* got an overlap/],
    [table + 40 + 20, 0x400, /raw data of ".b" at offset 0x400: .* got an overlap/],
    [table + 40 + 16, 0xffff_ffff, /raw data of ".b" at offset 0x600/],
    [entry + 4, 8, /certificate table at offset 0x0/],
  ];
  for (const [offset, value, words] of cases)
    assert.throws(() => parse(patched(two, offset, value)), {
      code: 'PE_MALFORMED',
      message: words,
    });
});

test('headers cost a header: a source of a terabyte is neither read nor believed', () => {
  let most = 0;
  const bytes = aPe();
  const source: ByteSource = {
    size: 2 ** 40,
    read: (offset, length) => {
      most = Math.max(most, length);
      return bytes.subarray(offset, offset + length);
    },
  };
  assert.equal(parsePe(source).sections.length, 1);
  assert.ok(most <= 4096);
});

test('a source that ends before its own size is told from a damaged one', () => {
  const source: ByteSource = { size: 5000, read: () => new Uint8Array(10) };
  assert.throws(() => [...readRange(source, { offset: 0, size: 5000 })], {
    code: 'SOURCE_CHANGED',
  });
});

test('any bytes whatever yield headers or a PE_MALFORMED, never anything else', () => {
  const seeds = [
    aPe(),
    aPe({ kind: 'PE32', certificateTable: aCertificateEntry(countingBytes(9)) }),
  ];
  const change = fc.tuple(fc.nat({ max: 0x240 }), fc.nat({ max: 255 }));
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 8 }))
    .map(([seed, changes]) => {
      const copy = seed.slice();
      for (const [offset, value] of changes) copy[offset] = value;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      try {
        const pe = parse(bytes);
        for (const section of pe.sections) readSection(bytesSource(bytes), section, bytes.length);
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'PE_MALFORMED', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('the stubs, loaders and the kernel of Debian are whole, and cut short they are not', {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  const paths = [...Object.values(parts.stub), ...Object.values(parts.systemdBoot), parts.kernel];
  for (const path of paths) {
    const bytes = readFileSync(path);
    const pe = parse(bytes);
    assert.equal(pe.kind, 'PE32+');
    const last = pe.sections.at(-1);
    assert.ok(last);
    assert.throws(() => parse(bytes.subarray(0, last.pointerToRawData + 1)), {
      code: 'PE_MALFORMED',
    });
  }
});
