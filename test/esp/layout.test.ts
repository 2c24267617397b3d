import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { base32, hash } from '../../src/digest.ts';
import {
  type BlobName,
  directoryOf,
  type EntryName,
  entryId,
  espPath,
  fileName,
  formatBlobName,
  formatEntryName,
  parseBlobName,
  parseEntryName,
  slug,
} from '../../src/esp/layout.ts';
import {
  isShortName,
  isTemporaryName,
  placeholderName,
  temporaryName,
} from '../../src/esp/temporary-name.ts';

const digest = hash('something');
const id = base32(digest);

const anyDigest = fc.string().map((text) => hash(text));
const anyText = fc.string({ unit: 'binary', maxLength: 80 });
const anyToken = fc.constantFrom('nixos', 'a', 'nixos-lab', 'x.y_z-1');

const anyBlobName: fc.Arbitrary<BlobName> = fc.record(
  {
    kind: fc.constantFrom('kernel', 'initrd', 'devicetree'),
    version: fc.stringMatching(/^[a-z0-9._+-]{1,64}$/),
    digest: anyDigest,
  },
  { noNullPrototype: true },
);

const anyEntryName: fc.Arbitrary<EntryName> = fc.record(
  {
    kind: fc.constantFrom('uki', 'type1'),
    generation: fc.nat({ max: 1e9 }),
    slug: anyText.map(slug),
    digest: anyDigest,
    counter: fc.record(
      { triesLeft: fc.nat({ max: 99 }), triesDone: fc.nat({ max: 99 }) },
      { noNullPrototype: true },
    ),
  },
  { requiredKeys: ['kind', 'generation', 'digest'], noNullPrototype: true },
);

describe('names of blobs', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(anyBlobName, (name) => {
        assert.deepEqual(parseBlobName(formatBlobName(name)), name);
      }),
    );
  });

  test('case does not matter, as FAT keeps any', () => {
    const name = formatBlobName({ kind: 'kernel', version: '6.12', digest });
    assert.deepEqual(parseBlobName(name.toUpperCase()), {
      kind: 'kernel',
      version: '6.12',
      digest,
    });
  });

  test('any other text is not ours, whatever it is', () => {
    fc.assert(fc.property(anyText, (text) => parseBlobName(text) === undefined));
    for (const name of [
      `kernel-${id}.efi`,
      `kernel--${id}.efi`,
      `kernel-6.12-${id}`,
      `kernel-6.12-${id}.efi.tmp`,
      `kernel-6/12-${id}.efi`,
      `-6.12-${id}.efi`,
      `kernel-6.12-${id.slice(1)}.efi`,
      `kernel-6.12-${'b'.repeat(52)}.efi`,
      `kernel-${'6'.repeat(65)}-${id}.efi`,
      `kernel-6.12-${id}.efi\n`,
    ]) {
      assert.equal(parseBlobName(name), undefined, name);
    }
  });
});

describe('names of entries', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(anyToken, anyEntryName, (token, name) => {
        assert.deepEqual(parseEntryName(token, formatEntryName(token, name)), name);
      }),
    );
  });

  test('what is ours under one token is not ours under another', () => {
    fc.assert(
      fc.property(anyToken, anyToken, anyEntryName, (ours, other, name) => {
        const parsed = parseEntryName(other, formatEntryName(ours, name));
        assert.ok(ours === other ? parsed : parsed === undefined);
      }),
    );
  });

  test('any other text is not ours, whatever it is', () => {
    fc.assert(fc.property(anyText, (text) => parseEntryName('nixos', text) === undefined));
    for (const name of [
      'nixos-generation-1.conf',
      'nixos-generation-1-specialisation-x.conf',
      `nixos-generation-1-${id}`,
      `nixos-generation-1-${id}.txt`,
      `nixos-generation--1-${id}.efi`,
      `nixos-generation-1-specialisation--${id}.efi`,
      `nixos-generation-1-specialisation-a b-${id}.efi`,
      `nixos-generation-1234567890123456-${id}.efi`,
      `nixos-generation-1-${id}+.efi`,
      `nixos-generation-1-${id}+1-.efi`,
      `nixos-generation-1-${id}+1+2.efi`,
      ` nixos-generation-1-${id}.efi`,
    ]) {
      assert.equal(parseEntryName('nixos', name), undefined, name);
    }
  });

  test('a counter is no part of the ID, and its second number may be missing', () => {
    const name: EntryName = { kind: 'uki', generation: 3, digest };
    const plain = formatEntryName('nixos', name);
    for (const counter of ['+3', '+3-0', '+0-12']) {
      const counted = plain.replace('.efi', `${counter}.efi`);
      assert.equal(entryId(counted), plain);
      assert.deepEqual(
        { ...parseEntryName('nixos', counted), counter: undefined },
        { ...name, counter: undefined },
      );
    }
    const { counter } = parseEntryName('nixos', plain.replace('.efi', '+3.efi')) ?? {};
    assert.deepEqual(counter, { triesLeft: 3, triesDone: 0 });
    assert.equal(entryId('windows+x.conf'), 'windows+x.conf');
    assert.equal(entryId('a+1.conf'), 'a.conf');
  });
});

describe('what people write', () => {
  test('a slug is at most 48 characters of a small alphabet, and never empty', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        assert.match(slug(text), /^[a-z0-9._-]{1,48}$/);
        assert.equal(slug(slug(text)), slug(text));
      }),
    );
  });

  test('no name leads out of its directory', () => {
    fc.assert(
      fc.property(anyText, fc.nat(), (text, generation) => {
        const name = formatEntryName('nixos', {
          kind: 'uki',
          generation,
          slug: slug(text),
          digest,
        });
        assert.doesNotMatch(name, /[/\\]/);
        assert.ok(name.length <= 255);
      }),
    );
  });
});

test('a temporary name is told from every other by its exact form', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (processId, count) => {
      assert.ok(isTemporaryName(temporaryName(processId, count)));
    }),
  );
  fc.assert(fc.property(anyText, (text) => !isTemporaryName(text)));
  for (const name of [
    '.espalier-1-2.tmp.',
    '.espalier-1.tmp',
    '.ESPALIER-1-2.TMP',
    '.espalier-1-2.tmp\n',
  ]) {
    assert.equal(isTemporaryName(name), false, name);
  }
});

test('what vfat calls a temporary file whose long name is lost is a temporary name, too', () => {
  for (const name of ['ESPALI~1.TMP', 'espali~2.tmp', 'ES0FA9~1.TMP', placeholderName(0)]) {
    assert.equal(isTemporaryName(name), true, name);
  }
  for (const name of ['ESPALI~1.TXT', 'ESPALI.TMP', 'ESPALI~12.TMP', 'ES0FX9~1.TMP', 'ESPL1.TMP']) {
    assert.equal(isTemporaryName(name), false, name);
  }
});

test('a placeholder is a name that vfat needs no long one for', () => {
  for (const index of [0, 7, 9999]) assert.match(placeholderName(index), /^[A-Z0-9]{8}\.TMP$/);
});

test('what vfat calls a file of ours whose long name is lost is known by the token', () => {
  const ours = {
    nixos: ['NIXOS-~1.EFI', 'nixos-~9.con', 'NI1A2F~1.EFI', 'KERNEL~1.EFI', 'SYSTEM~1.EFI'],
    'x.y_z-1': ['XY_Z-1~1.CON'],
    a: ['A-GENE~1.EFI', 'EXTRA-~2.TXT', 'ESPALI~1.CON'],
  };
  for (const [token, names] of Object.entries(ours)) {
    for (const name of names) assert.equal(isShortName(token, name), true, name);
  }
  for (const name of ['ARCH-L~1.EFI', 'NIXOS-~1.TXT', 'NIXOS.EFI', 'BOOTX64.EFI', 'NIXOS-~0.EFI']) {
    assert.equal(isShortName('nixos', name), false, name);
  }
});

test('a path is its directory and its name', () => {
  const path = espPath('EFI', 'Linux', 'a.efi');
  assert.equal(path, 'EFI/Linux/a.efi');
  assert.equal(`${directoryOf(path)}/${fileName(path)}`, path);
});
