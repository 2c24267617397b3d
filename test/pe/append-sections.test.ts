import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { EspError } from '../../src/error.ts';
import { appendSections, type NewSection } from '../../src/pe/append-sections.ts';
import { type ImageLayout, pieceSize } from '../../src/pe/image-layout.ts';
import { findSection, NX_COMPAT, type Pe, parsePe, readSection } from '../../src/pe/pe.ts';
import { findParts } from '../lab/parts.ts';
import {
  type ASection,
  aCertificateEntry,
  aPe,
  countingBytes,
  layoutBytes,
  PE_OFFSET,
} from './a-pe.ts';

const parts = findParts();
const text: ASection = { name: '.text', bytes: countingBytes(700) };
const sbat: ASection = { name: '.sbat', bytes: countingBytes(100) };
const reloc: ASection = { name: '.reloc', bytes: countingBytes(12) };

function bytesOf(size: number, name = '.osrel'): NewSection {
  return { name, content: { kind: 'bytes', bytes: countingBytes(size) } };
}

/** The image a layout stands for, parsed again; what parses has no overlapping raw data. */
function build(layout: ImageLayout): { image: Uint8Array; pe: Pe } {
  const image = layoutBytes(layout);
  return { image, pe: parsePe(bytesSource(image)) };
}

function content(image: Uint8Array, name: string): Uint8Array | undefined {
  const section = findSection(parsePe(bytesSource(image)), name);
  return section && readSection(bytesSource(image), section, image.length);
}

test('what is appended is read back, aligned in file and memory and without overlap', () => {
  const contents = fc.array(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { maxLength: 12 });
  const alignments = fc.constantFrom(
    [0x200, 0x200],
    [0x1000, 0x200],
    [0x1000, 0x20],
    [0x1000, 0x1000],
  );
  const kinds = fc.constantFrom('PE32' as const, 'PE32+' as const);
  fc.assert(
    fc.property(
      contents,
      alignments,
      kinds,
      (added, [sectionAlignment = 0, fileAlignment = 0], kind) => {
        const stub = aPe({
          kind,
          sections: [text, sbat, reloc],
          sectionAlignment,
          fileAlignment,
          sizeOfHeaders: 0x1000,
        });
        const sections = added.map(
          (bytes, index): NewSection => ({
            name: `.new${index}`,
            content: { kind: 'bytes', bytes },
          }),
        );
        const layout = appendSections(stub, sections);
        const { image, pe } = build(layout);
        assert.equal(image.length, layout.size);
        assert.equal(layout.size % 8, 0);
        let end = pe.sizeOfHeaders;
        for (const section of pe.sections) {
          assert.equal(section.virtualAddress % sectionAlignment, 0);
          assert.equal(section.pointerToRawData % fileAlignment, 0);
          assert.equal(section.sizeOfRawData % fileAlignment, 0);
          assert.ok(section.virtualAddress >= end);
          end = section.virtualAddress + section.virtualSize;
        }
        assert.ok(pe.sizeOfImage >= end && pe.sizeOfImage < end + sectionAlignment);
        const all = [
          text,
          sbat,
          reloc,
          ...added.map((bytes, index) => ({ name: `.new${index}`, bytes })),
        ];
        for (const { name, bytes } of all) assert.deepEqual(content(image, name), bytes);
      },
    ),
    { numRuns: 60 },
  );
});

test('header fields change as ukify changes them', () => {
  const stub = aPe({ sections: [text, reloc] });
  const before = parsePe(bytesSource(stub));
  const kernel = { ...bytesOf(5000, '.linux'), code: true };
  const { image, pe } = build(appendSections(stub, [bytesOf(42), kernel]));
  assert.equal(pe.sizeOfInitializedData, before.sizeOfInitializedData + 5042);
  assert.equal(findSection(pe, '.osrel')?.characteristics, 0x4000_0040);
  assert.equal(findSection(pe, '.linux')?.characteristics, 0x4000_0020);
  assert.equal(new DataView(image.buffer).getUint32(pe.checksumOffset, true), 0);
  assert.deepEqual(pe.sections.slice(0, 2), before.sections);
});

test('a payload is a piece of the layout, not bytes in memory', () => {
  const size = 3 * 2 ** 30;
  const layout = appendSections(aPe(), [
    { name: '.initrd', content: { kind: 'file', path: '/initrd', size } },
  ]);
  const inMemory = layout.pieces.filter(({ kind }) => kind === 'bytes').map(pieceSize);
  assert.ok(inMemory.reduce((sum, next) => sum + next, 0) < 0x1000);
  assert.deepEqual(layout.pieces.at(-1), { kind: 'file', path: '/initrd', offset: 0, size });
  assert.equal(
    layout.size,
    layout.pieces.reduce((sum, piece) => sum + pieceSize(piece), 0),
  );
});

test('an empty section is not written', () => {
  const { pe } = build(appendSections(aPe(), [bytesOf(0), bytesOf(1, '.cmdline')]));
  assert.deepEqual(
    pe.sections.map(({ name }) => name),
    ['.text', '.cmdline'],
  );
});

test('a section of the stub is replaced where it lies when the new one fits', () => {
  const stub = aPe({ sections: [text, sbat, reloc] });
  const { image, pe } = build(appendSections(stub, [bytesOf(512, '.sbat')]));
  assert.deepEqual(
    pe.sections.map(({ name }) => name),
    ['.text', '.sbat', '.reloc'],
  );
  assert.deepEqual(content(image, '.sbat'), countingBytes(512));
  assert.equal(image.length, stub.length);
});

test('a section that does not fit takes the name of the one in the stub, which retires', () => {
  const stub = aPe({ sections: [text, sbat, reloc] });
  const { image, pe } = build(appendSections(stub, [bytesOf(513, '.sbat')]));
  assert.deepEqual(
    pe.sections.map(({ name }) => name),
    ['.text', '.retired', '.reloc', '.sbat'],
  );
  assert.deepEqual(content(image, '.sbat'), countingBytes(513));
  assert.deepEqual(content(image, '.retired'), sbat.bytes);
});

test('a section is not replaced in place when it would run into the next one in memory', () => {
  const near = { ...reloc, virtualAddress: 0x2100 };
  const stub = aPe({
    sections: [text, { ...sbat, virtualAddress: 0x2000 }, near],
    sectionAlignment: 0x100,
  });
  const fits = build(appendSections(stub, [bytesOf(0x100, '.sbat')]));
  assert.equal(findSection(fits.pe, '.retired'), undefined);
  const { image, pe } = build(appendSections(stub, [bytesOf(0x101, '.sbat')]));
  assert.ok(findSection(pe, '.retired'));
  assert.deepEqual(content(image, '.sbat'), countingBytes(0x101));
});

test('headers grow up to the first section, and then say how many would fit', () => {
  const many = (count: number) =>
    Array.from({ length: count }, (_, index) => bytesOf(1, `.n${index}`));
  const stub = aPe({ sections: [text] });
  const slots = Math.floor((0x1000 - parsePe(bytesSource(stub)).sectionTableOffset) / 40);
  const { image, pe } = build(appendSections(stub, many(slots - 1)));
  assert.equal(pe.sizeOfHeaders, 0x1000);
  assert.deepEqual(content(image, '.text'), text.bytes);
  assert.throws(() => appendSections(stub, many(slots)), {
    code: 'PE_MALFORMED',
    message: `stub: section headers: expected at most ${slots} to fit below the first section, got ${slots + 1}`,
  });
});

test('a symbol table is dropped and said to be', () => {
  const stub = aPe({ symbols: countingBytes(18 * 7 + 4) });
  const { image, pe } = build(appendSections(stub, [bytesOf(1)]));
  const view = new DataView(image.buffer);
  assert.equal(view.getUint32(PE_OFFSET + 12, true), 0);
  assert.equal(view.getUint32(PE_OFFSET + 16, true), 0);
  assert.equal(pe.characteristics, 0x0226 | 0x0008);
  assert.deepEqual(content(image, '.osrel'), countingBytes(1));
});

test('NX_COMPAT stays unless the kernel does without it', () => {
  const nx = (nxCompat?: boolean) =>
    build(appendSections(aPe(), [bytesOf(1)], nxCompat === undefined ? {} : { nxCompat })).pe
      .dllCharacteristics & NX_COMPAT;
  assert.deepEqual([nx(), nx(true), nx(false)], [NX_COMPAT, NX_COMPAT, 0]);
});

test('a signed stub, a stub of odd alignment and an image of 4 GiB are refused', () => {
  const signed = aPe({ certificateTable: aCertificateEntry(countingBytes(8)) });
  assert.throws(() => appendSections(signed, []), {
    code: 'PE_MALFORMED',
    message: /certificate table/,
  });
  const odd = aPe();
  new DataView(odd.buffer).setUint32(PE_OFFSET + 24 + 36, 0x201, true);
  assert.throws(() => appendSections(odd, []), { code: 'PE_MALFORMED', message: /FileAlignment/ });
  const size = 2 ** 31;
  const huge = ['.a', '.b'].map(
    (name): NewSection => ({ name, content: { kind: 'file', path: '/f', size } }),
  );
  assert.throws(() => appendSections(aPe(), huge), {
    code: 'PE_MALFORMED',
    message: /less than 4 GiB/,
  });
});

test('a damaged stub is laid out or refused, never anything else', {
  skip: parts === undefined && 'needs the real parts',
}, () => {
  assert.ok(parts);
  const stubs = Object.values(parts.stub).map((path) => readFileSync(path));
  const changes = fc.array(fc.tuple(fc.nat({ max: 0x300 }), fc.nat({ max: 255 })), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.constantFrom(...stubs), changes, (stub, bytes) => {
      const damaged = new Uint8Array(stub);
      for (const [offset, value] of bytes) damaged[offset] = value;
      try {
        const layout = appendSections(damaged, [bytesOf(600, '.sbat'), bytesOf(10)]);
        parsePe(bytesSource(layoutBytes(layout)));
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'PE_MALFORMED', String(error));
      }
    }),
    { numRuns: 400 },
  );
});
