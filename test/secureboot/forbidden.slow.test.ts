import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Guid } from '../../src/guid.ts';
import {
  banOf,
  type DigestName,
  forbidsImage,
  IMAGE_SHA256,
  parseForbidden,
} from '../../src/secureboot/forbidden.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { signedPart } from '../../src/secureboot/signed-part.ts';
import { childrenOf, parseDer, SEQUENCE } from '../../src/signer/der.ts';
import { mutated, tolerates } from '../hostile/mutation.ts';
import { bounds } from '../property/bounds.ts';
import { certificateDer, imageDigest } from '../signer/test-key.ts';

const owner = '77fa9abd-0359-4d32-bd60-28f4e78f784b' as Guid;
/** The types of entries that are digests of certificates, and of images (UEFI §32.4.1). */
const CERTIFICATES: Readonly<Record<DigestName, Guid>> = {
  sha256: '3bd2a492-96c0-4079-b420-fcf98ef103ed' as Guid,
  sha384: '7076876e-80c2-4ee6-aad2-28b349a6865b' as Guid,
  sha512: '446dbf63-2502-4cda-bcfa-2465d2b0fe9d' as Guid,
};
const IMAGES: Readonly<Record<DigestName, Guid>> = {
  sha256: IMAGE_SHA256,
  sha384: 'ff3e5307-9fd0-48c9-85f1-8ad56c701e01' as Guid,
  sha512: '093e0fae-a6c4-4f50-9f1b-d41e2b89c19a' as Guid,
};
const NAMES = ['sha256', 'sha384', 'sha512'] as const;
const ALWAYS = new Uint8Array(16);
/** 2024-03-05 12:00:00 UTC as EFI_TIME. */
const LATER = Uint8Array.from([0xe8, 7, 3, 5, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

const dbx = (...entries: readonly { type: Guid; data: Uint8Array }[]) =>
  formatSignatureLists(entries.map((entry) => ({ ...entry, owner })));

const digest = (name: DigestName, bytes: Uint8Array) => createHash(name).update(bytes).digest();

/** Read with another reader than the one that is tested. */
function toBeSigned(der: Uint8Array): Uint8Array {
  return childrenOf(parseDer(der), SEQUENCE)[0]?.whole ?? new Uint8Array();
}

function named(name: DigestName, time: Uint8Array) {
  const part = digest(name, toBeSigned(certificateDer));
  return { type: CERTIFICATES[name], data: Buffer.concat([part, time]) };
}

test('a certificate in dbx is refused as itself', () => {
  const forbidden = parseForbidden(dbx({ type: X509, data: certificateDer }));
  assert.deepEqual(banOf(forbidden, certificateDer), { by: 'certificate' });
  assert.equal(banOf(forbidden, certificateDer.slice(0, -1)), undefined);
});

for (const name of NAMES) {
  test(`a certificate is refused by the ${name} digest of what was signed of it`, () => {
    const always = parseForbidden(dbx(named(name, ALWAYS)));
    assert.deepEqual(banOf(always, certificateDer), { by: 'digest of the certificate' });
    const later = parseForbidden(dbx(named(name, LATER)));
    assert.deepEqual(banOf(later, certificateDer), {
      by: 'digest of the certificate',
      since: Date.UTC(2024, 2, 5, 12) / 1000,
    });
  });

  test(`an image is refused by its ${name} digest, and no other is`, () => {
    const forbidden = parseForbidden(
      dbx({ type: IMAGES[name], data: digest(name, imageDigest()) }),
    );
    const hex = digest(name, imageDigest()).toString('hex');
    assert.ok(forbidsImage(forbidden, { [name]: hex }));
    assert.ok(!forbidsImage(forbidden, { [name]: digest(name, certificateDer).toString('hex') }));
  });
}

test('of two times for one certificate the stricter counts', () => {
  const both = [named('sha256', LATER), named('sha256', ALWAYS)];
  for (const entries of [both, both.toReversed()]) {
    assert.deepEqual(banOf(parseForbidden(dbx(...entries)), certificateDer), {
      by: 'digest of the certificate',
    });
  }
});

test('the digest of the whole certificate is none of its signed part', () => {
  const data = Buffer.concat([digest('sha256', certificateDer), ALWAYS]);
  const forbidden = parseForbidden(dbx({ type: CERTIFICATES.sha256, data }));
  assert.equal(banOf(forbidden, certificateDer), undefined);
});

test('an entry of a type or a length that firmware does not know forbids nothing', () => {
  const strange = { type: 'a5c059a1-0000-0000-0000-000000000000' as Guid, data: certificateDer };
  const short = { type: IMAGE_SHA256, data: imageDigest().subarray(0, 20) };
  const forbidden = parseForbidden(dbx(strange, short));
  assert.equal(banOf(forbidden, certificateDer), undefined);
  assert.equal(forbidden.images.size, 0);
});

test('an empty dbx forbids nothing', () => {
  const forbidden = parseForbidden(new Uint8Array());
  assert.equal(banOf(forbidden, certificateDer), undefined);
  assert.ok(!forbidsImage(forbidden, { sha256: '0'.repeat(64) }));
});

test('lists of two entries each are read whole, as those of Microsoft are', () => {
  // One list with two signatures of 48 bytes, as firmware packs digests.
  const one = dbx({ type: IMAGE_SHA256, data: imageDigest('one') });
  const two = dbx({ type: IMAGE_SHA256, data: imageDigest('two') }).subarray(28);
  const list = Buffer.concat([one, two]);
  list.writeUInt32LE(list.length, 16);
  const { images } = parseForbidden(list);
  assert.deepEqual(
    [...images],
    ['one', 'two'].map((name) => `sha256:${Buffer.from(imageDigest(name)).toString('hex')}`),
  );
});

test('any dbx is read or refused, and any certificate is judged by it', () => {
  const whole = dbx(
    { type: X509, data: certificateDer },
    ...NAMES.map((name) => named(name, LATER)),
    ...NAMES.map((name) => ({ type: IMAGES[name], data: digest(name, imageDigest()) })),
  );
  const few = dbx(...NAMES.map((name) => named(name, ALWAYS)));
  fc.assert(
    fc.property(mutated(whole, few), mutated(certificateDer), (lists, certificate) => {
      tolerates(() => {
        const forbidden = parseForbidden(lists);
        banOf(forbidden, certificate);
        banOf(forbidden, certificateDer);
      });
    }),
    bounds(2000),
  );
});

test('the signed part of any certificate lies in it, right behind the outer header', () => {
  fc.assert(
    fc.property(mutated(certificateDer), (bytes) => {
      const part = signedPart(bytes);
      const read = parseDer(bytes);
      // What the strict reader takes, this one takes as well.
      if (read !== undefined && childrenOf(read, SEQUENCE)[0]?.tag === SEQUENCE) {
        assert.deepEqual(part, toBeSigned(bytes));
      } else if (part !== undefined) {
        assert.ok(part.length < bytes.length);
      }
    }),
    bounds(4000),
  );
});
