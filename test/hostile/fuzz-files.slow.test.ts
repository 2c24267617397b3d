/** Binary files: whatever is wrong with one, its parser returns or refuses, after bounded work. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource, readRange } from '../../src/byte-source.ts';
import { readElf } from '../../src/confine/elf.ts';
import { readLoaderCache } from '../../src/confine/loader-cache.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { appendSections } from '../../src/pe/append-sections.ts';
import { authenticodeDigestInput } from '../../src/pe/authenticode.ts';
import { certificateTable, signedLayout } from '../../src/pe/certificate-table.ts';
import { contentRange, parsePe } from '../../src/pe/pe.ts';
import { signAuthenticode } from '../../src/signer/cms.ts';
import { signersIn, verifyAuthenticode } from '../../src/signer/cms-verification.ts';
import { parseDer } from '../../src/signer/der.ts';
import { kernelTraits } from '../../src/uki/kernel.ts';
import { mergeSbat } from '../../src/uki/sbat.ts';
import { anElf } from '../confine/an-elf.ts';
import { aCertificateEntry, aPe, countingBytes } from '../pe/a-pe.ts';
import { bounds } from '../property/bounds.ts';
import { certificateDer, imageDigest, privateKey } from '../signer/test-key.ts';
import { SIGNATURES } from './corpus-signatures.ts';
import { mutated, rationed, tolerates } from './mutation.ts';

const text = (value: string) => new TextEncoder().encode(value);
const SIGNATURE = signAuthenticode(imageDigest(), certificateDer, privateKey);
const SBAT = text('sbat,1,SBAT Version,sbat,1,https://example.org\nx,1,X,x,1,y\n');
const sections = [
  { name: '.osrel', bytes: text('ID=systemd-boot\nVERSION=257\nPRETTY_NAME="x"\n') },
  { name: '.sdmagic', bytes: text('#### LoaderInfo: systemd-boot 257 ####') },
  { name: '.sbat', bytes: SBAT },
  { name: '.linux', bytes: countingBytes(300) },
];
const IMAGES = [
  aPe({ sections }),
  aPe({ sections, kind: 'PE32', symbols: countingBytes(36) }),
  aPe({ sections, certificateTable: aCertificateEntry(SIGNATURE) }),
];

function drain(chunks: Iterable<Uint8Array>): void {
  const state = createHash('sha256');
  for (const chunk of chunks) state.update(chunk);
}

test('any PE image', () => {
  fc.assert(
    fc.property(mutated(...IMAGES), (bytes) => {
      tolerates(() => loaderIdentity(rationed(bytes)));
      tolerates(() => kernelTraits(rationed(bytes)));
      tolerates(() => drain(authenticodeDigestInput(rationed(bytes))));
      tolerates(() => signedLayout(rationed(bytes), '/x', SIGNATURE));
      tolerates(() => {
        const pe = parsePe(bytesSource(bytes));
        certificateTable(rationed(bytes), pe);
        for (const section of pe.sections) drain(readRange(rationed(bytes), contentRange(section)));
      });
    }),
    bounds(4000),
  );
});

test('any PE image that ends before its size', () => {
  fc.assert(
    fc.property(mutated(...IMAGES), fc.nat(0xffff_ffff), (bytes, more) => {
      const source = () => rationed(bytes, bytes.length + more);
      tolerates(() => loaderIdentity(source()));
      tolerates(() => drain(authenticodeDigestInput(source())));
      tolerates(() => certificateTable(source(), parsePe(source())));
    }),
    bounds(2000),
  );
});

test('any stub: what it is given lies where the layout says, or it is refused', () => {
  const added = [
    { name: '.linux', content: { kind: 'bytes', bytes: countingBytes(999) } } as const,
  ];
  fc.assert(
    fc.property(mutated(...IMAGES.slice(0, 2)), (bytes) => {
      tolerates(() => {
        const { size, pieces } = appendSections(bytes, added);
        const lengths = pieces.map((piece) =>
          piece.kind === 'bytes' ? piece.bytes.length : piece.size,
        );
        assert.equal(
          lengths.reduce((sum, length) => sum + length, 0),
          size,
        );
      });
    }),
    bounds(4000),
  );
});

test('any signature', () => {
  const bases = [SIGNATURE, ...Object.values(SIGNATURES).map((make) => make().slice(0, 9000))];
  fc.assert(
    fc.property(mutated(SIGNATURE, ...bases), (bytes) => {
      verifyAuthenticode(bytes, imageDigest(), certificateDer);
      signersIn(bytes, imageDigest());
    }),
    bounds(2500),
  );
});

test('any DER: an element is made of its children, to the byte', () => {
  fc.assert(
    fc.property(mutated(SIGNATURE, certificateDer), (bytes) => {
      const element = parseDer(bytes);
      if (element === undefined) return;
      assert.equal(element.whole.length, bytes.length);
      const inside = element.children.reduce((sum, { whole }) => sum + whole.length, 0);
      assert.ok(element.children.length === 0 || inside === element.content.length);
    }),
    bounds(4000),
  );
});

test('any SBAT', () => {
  fc.assert(
    fc.property(fc.array(mutated(SBAT), { maxLength: 3 }), (contents) =>
      tolerates(() => mergeSbat(contents)),
    ),
    bounds(4000),
  );
});

const shape = {
  interpreter: '/lib/ld.so',
  needed: ['a.so', 'b.so'],
  soname: 'c',
  runpath: '$ORIGIN',
};

test('any ELF file', () => {
  const files = ([32, 64] as const).flatMap((bits) =>
    [false, true].map((bigEndian) => anElf({ ...shape, bits, bigEndian })),
  );
  fc.assert(
    fc.property(mutated(...files), fc.nat(0xffff_ffff), (bytes, more) => {
      tolerates(() => readElf(rationed(bytes), 'x'));
      tolerates(() => readElf(rationed(bytes, bytes.length + more), 'x'));
    }),
    bounds(6000),
  );
});

test('any cache of the dynamic linker', () => {
  const header = text('glibc-ld.so.cache1.1');
  const cache = Uint8Array.from([...header, 2, 0, 0, 0, 40, ...new Uint8Array(90)]);
  fc.assert(
    fc.property(mutated(cache, countingBytes(200)), (bytes) =>
      tolerates(() => readLoaderCache(rationed(bytes))),
    ),
    bounds(6000),
  );
});
