import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { hash } from '../../src/digest.ts';
import { authenticodeDigestInput } from '../../src/pe/authenticode.ts';
import { certificateTable } from '../../src/pe/certificate-table.ts';
import { createChecksum } from '../../src/pe/checksum.ts';
import { parsePe, readSection } from '../../src/pe/pe.ts';
import { textSection } from '../../src/plan/section.ts';
import type { Content, ImageContent, SectionContent } from '../../src/plan/step.ts';
import { describeSigned } from '../../src/recipe/recipe.ts';
import { certificateSigner } from '../../src/signer/certificate-signer.ts';
import { type Signer, unsigned } from '../../src/signer/signer.ts';
import { writeContent } from '../../src/transaction/write-content.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePem, privateKey } from '../signer/test-key.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const KERNEL = aPe({ sections: [{ name: '.text', bytes: countingBytes(3000) }] });
const INITRD = countingBytes(1_500_000);
const STUB = aPe();

const signer = certificateSigner(new X509Certificate(certificatePem), privateKey);

function aDisk(): MemoryDisk {
  const files = { '/s/kernel': KERNEL, '/s/initrd': INITRD, '/s/stub': STUB };
  return new MemoryDisk({ capacity: 1 << 24, files });
}

const aSection = (name: string, path: string, bytes: Uint8Array): SectionContent => ({
  name,
  digest: hash(bytes),
  size: bytes.length,
  content: { kind: 'file', path },
});

const image: ImageContent = {
  kind: 'uki',
  stub: '/s/stub',
  sections: [
    textSection('.osrel', 'ID=nixos\n'),
    textSection('.cmdline', 'init=/init'),
    aSection('.linux', '/s/kernel', KERNEL),
    aSection('.initrd', '/s/initrd', INITRD),
  ],
};

const place = (path: string) => `/boot/${path}`;

/** Writes content to a new file and returns its bytes. */
async function realised(content: Content, by: Signer, disk = aDisk()): Promise<Uint8Array> {
  const workshop = { disk, signer: by, sources: new Map(), place };
  const size = await writeContent(content, '/boot/file', workshop);
  const bytes = disk.read('/boot/file', Number.POSITIVE_INFINITY);
  assert.equal(bytes.length, size);
  return bytes;
}

function assertSigned(bytes: Uint8Array): void {
  const source = bytesSource(bytes);
  const sha256 = createHash('sha256');
  for (const part of authenticodeDigestInput(source)) sha256.update(part);
  const signatures = certificateTable(source, parsePe(source));
  assert.deepEqual(signer.verify(signatures, sha256.digest()), { kind: 'valid' });
}

/** Asserts that the checksum in the header is that of the file. */
function assertChecksum(bytes: Uint8Array): void {
  const { checksumOffset } = parsePe(bytesSource(bytes));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const blank = bytes.slice();
  blank.fill(0, checksumOffset, checksumOffset + 4);
  const checksum = createChecksum();
  checksum.update(blank);
  assert.equal(view.getUint32(checksumOffset, true), checksum.finish(bytes.length));
}

describe('content', () => {
  test('text is written as UTF-8, a file as it is', async () => {
    assert.equal(
      new TextDecoder().decode(await realised({ kind: 'text', text: 'ü' }, unsigned)),
      'ü',
    );
    assert.deepEqual(await realised({ kind: 'file', path: '/s/initrd' }, unsigned), INITRD);
  });

  test('a signed file is the file with a valid signature, and is described without writing it', async () => {
    const disk = aDisk();
    const bytes = await realised({ kind: 'signed', path: '/s/kernel' }, signer, disk);
    assertSigned(bytes);
    assert.deepEqual(await describeSigned('/s/kernel', disk, signer), {
      size: bytes.length,
      digest: hash(bytes),
    });
    const known = hash('known');
    assert.deepEqual(await describeSigned('/s/kernel', disk, signer, known), {
      size: bytes.length,
      digest: known,
    });
  });

  test('nothing is signed without a key', async () => {
    await assert.rejects(realised({ kind: 'signed', path: '/s/kernel' }, unsigned), {
      code: 'SIGNER_FAILED',
    });
  });

  for (const [how, by] of [
    ['unsigned', unsigned],
    ['signed', signer],
  ] as const) {
    test(`an image that is ${how} holds every section, and its checksum is right`, async () => {
      const bytes = await realised(image, by);
      const source = bytesSource(bytes);
      const { sections } = parsePe(source);
      for (const { name, digest } of image.sections) {
        const section = sections.find((candidate) => candidate.name === name);
        assert.ok(section, name);
        assert.equal(hash(readSection(source, section, bytes.length)), digest);
      }
      assertChecksum(bytes);
      if (by === signer) assertSigned(bytes);
    });
  }

  test('an image is the same each time', async () => {
    assert.deepEqual(await realised(image, signer), await realised(image, signer));
  });
});

describe('sources', () => {
  const contents: readonly Content[] = [
    image,
    { kind: 'file', path: '/s/kernel' },
    { kind: 'signed', path: '/s/kernel' },
  ];
  for (const content of contents) {
    test(`a source that changed since it was hashed fails: ${content.kind}`, async () => {
      const disk = aDisk();
      const stat = disk.stat('/s/kernel');
      assert.ok(stat);
      for (const other of [
        { ...stat, inode: stat.inode + 1 },
        { ...stat, modified: stat.modified + 1 },
        { ...stat, size: stat.size + 1 },
      ]) {
        const workshop = { disk: aDisk(), signer, sources: new Map([['/s/kernel', other]]), place };
        await assert.rejects(writeContent(content, '/boot/file', workshop), {
          code: 'SOURCE_CHANGED',
        });
      }
    });
  }

  test('a source that ends early fails instead of being filled up', async () => {
    const sections = image.sections.map((section) =>
      section.name === '.initrd' ? { ...section, size: section.size + 4096 } : section,
    );
    await assert.rejects(realised({ ...image, sections }, unsigned), {
      code: 'SOURCE_CHANGED',
      message: /initrd: ends at 1500000 of 1504096 bytes/,
    });
  });
});
