import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { signAuthenticode } from '../../src/signer/cms.ts';
import { signersIn, verifyAuthenticode } from '../../src/signer/cms-verification.ts';
import {
  childrenOf,
  integer,
  octets,
  parseDer,
  SEQUENCE,
  SET,
  sequence,
  setOf,
  tagged,
} from '../../src/signer/der.ts';
import { certificateDer, imageDigest, privateKey } from './test-key.ts';

const digest = imageDigest();
const signature = signAuthenticode(digest, certificateDer, privateKey);
const verdict = (bytes: Uint8Array) => verifyAuthenticode(bytes, digest, certificateDer);
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Returns the signature with the first occurrence of some bytes changed to others. */
function altered(from: string, to: string): Uint8Array {
  const text = hexOf(signature);
  assert.ok(text.includes(from));
  return Uint8Array.from(Buffer.from(text.replace(from, to), 'hex'));
}

test('firmware finds the digest algorithm at byte 32 behind lengths of two bytes', () => {
  assert.equal(hexOf(signature.subarray(32, 41)), '608648016503040201');
  for (const at of [1, 16, 20]) assert.equal(signature[at], 0x82);
  assert.equal(hexOf(signature.subarray(23, 26)), '020101');
});

test('the content is the one that every signing tool writes, to the byte', () => {
  const prefix =
    '30683033060a2b06010401823702010f3025030100a020a21e801c' +
    '003c003c003c004f00620073006f006c006500740065003e003e003e' +
    '3031300d060960864801650304020105000420';
  assert.ok(hexOf(signature).includes(prefix + hexOf(digest)));
});

test('two signatures over one image are the same bytes', () => {
  assert.deepEqual(signAuthenticode(digest, certificateDer, privateKey), signature);
});

test('the signed attributes are the content type and the digest, and no time', () => {
  const signedData = parseDer(signature)?.children[1]?.children[0];
  const signer = childrenOf(signedData, SEQUENCE).at(-1)?.children[0];
  const attributes = signer?.children[3]?.children ?? [];
  assert.deepEqual(
    attributes.map(({ children }) => hexOf(children[0]?.content ?? new Uint8Array())),
    ['2a864886f70d010903', '2a864886f70d010904'],
  );
});

test('our own signature is valid, also with the zeros that pad it in a certificate table', () => {
  assert.deepEqual(verdict(signature), { kind: 'valid' });
  assert.deepEqual(verdict(Uint8Array.from([...signature, 0, 0, 0])), { kind: 'valid' });
});

test('a signature is good for the certificate that it carries', () => {
  assert.deepEqual(signersIn(signature, digest), [certificateDer]);
  assert.deepEqual(signersIn(signature, imageDigest('another')), []);
});

test('a certificate that cannot be read, under the right name, is nobody’s', () => {
  const bare = sequence(sequence(integer(1), sequence(), sequence()));
  assert.deepEqual(signersIn(signAuthenticode(digest, bare, privateKey), digest), []);
});

test('bytes behind the signature other than padding are refused', () => {
  assert.equal(verdict(Uint8Array.from([...signature, 1])).kind, 'invalid');
  assert.equal(verdict(Uint8Array.from([...signature, ...new Uint8Array(8)])).kind, 'invalid');
});

test('a signature is not valid for another image', () => {
  assert.deepEqual(verifyAuthenticode(signature, imageDigest('another'), certificateDer), {
    kind: 'invalid',
    because: 'it is of another image',
  });
});

test('a signature is not valid for a certificate of another name', () => {
  const other = Uint8Array.from(certificateDer);
  // The serial number stands behind the two headers and the version: 4 + 4 + 5 bytes, then its own 2.
  other[15] = (other[15] ?? 0) ^ 1;
  assert.deepEqual(verifyAuthenticode(signature, digest, other), {
    kind: 'invalid',
    because: 'it is of another certificate',
  });
});

test('a signature that carries another certificate of the same name is refused', () => {
  const other = Uint8Array.from(certificateDer);
  other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
  assert.deepEqual(verifyAuthenticode(signature, digest, other), {
    kind: 'invalid',
    because: 'it does not carry our certificate',
  });
});

test('a signature by another key is refused', () => {
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  assert.deepEqual(verdict(signAuthenticode(digest, certificateDer, stranger)), {
    kind: 'invalid',
    because: 'the signature does not verify',
  });
});

test('what an attacker rewrites around an old signature is noticed', () => {
  const other = imageDigest('evil');
  const swapped = altered(hexOf(digest), hexOf(other));
  assert.deepEqual(verifyAuthenticode(swapped, other, certificateDer), {
    kind: 'invalid',
    because: 'its signed digest is not that of its content',
  });
  const contentType = '06092a864886f70d010903310c060a2b0601040182370201';
  assert.deepEqual(verdict(altered(`${contentType}04`, `${contentType}05`)), {
    kind: 'invalid',
    because: 'its signed content type is not that of an image',
  });
  const [sha256, sha384] = ['0609608648016503040201', '0609608648016503040202'];
  assert.deepEqual(verdict(altered(sha256, sha384)), {
    kind: 'invalid',
    because: 'its digest algorithm is not SHA-256',
  });
});

test('what is no signature is refused with a reason', () => {
  assert.deepEqual(verdict(new Uint8Array()), { kind: 'invalid', because: 'it is not DER' });
  assert.deepEqual(verdict(sequence()), {
    kind: 'invalid',
    because: 'it is not PKCS#7 SignedData',
  });
  assert.equal(verdict(certificateDer).kind, 'invalid');
});

test('a signature of two signers is refused', () => {
  const [type, wrapped] = parseDer(signature)?.children ?? [];
  const parts = wrapped?.children[0]?.children ?? [];
  const signers = childrenOf(parts.at(-1), SET).map(({ whole }) => whole);
  const others = parts.slice(0, -1).map(({ whole }) => whole);
  assert.ok(type && signers.length === 1);
  const signed = (...by: readonly Uint8Array[]) =>
    sequence(type.whole, tagged(0, sequence(...others, setOf(...by))));
  assert.deepEqual(verdict(signed(...signers)), { kind: 'valid' });
  assert.deepEqual(verdict(signed(...signers, ...signers)), {
    kind: 'invalid',
    because: 'expected one signer, got 2',
  });
});

test('every shortened signature is refused', () => {
  for (let length = 0; length < signature.length; length++) {
    assert.equal(verdict(signature.subarray(0, length)).kind, 'invalid');
  }
});

test('no bit of a signature can change unnoticed', () => {
  for (let at = 0; at < signature.length; at++) {
    const changed = Uint8Array.from(signature);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    assert.equal(verdict(changed).kind, 'invalid', `byte ${at}`);
  }
});

test('any damage is judged and never thrown', () => {
  const damage = fc.array(
    fc.record({ at: fc.nat(signature.length - 1), byte: fc.integer({ min: 0, max: 255 }) }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(damage, (places) => {
      const changed = Uint8Array.from(signature);
      for (const { at, byte } of places) changed[at] = byte;
      assert.match(verdict(changed).kind, /^(in)?valid$/);
    }),
    { numRuns: 500 },
  );
});

test('a certificate too large for the place where firmware looks is refused with the numbers', () => {
  const [toBeSigned] = parseDer(certificateDer)?.children ?? [];
  const large = sequence(toBeSigned?.whole ?? new Uint8Array(), octets(new Uint8Array(64_800)));
  assert.throws(() => signAuthenticode(digest, large, privateKey), {
    code: 'SIGNER_FAILED',
    message: /expected at most 65535 bytes, got 65\d{3} with a certificate of 65\d{3}$/,
  });
});

test('a certificate that is no DER is refused', () => {
  assert.throws(() => signAuthenticode(digest, Uint8Array.of(1), privateKey), {
    code: 'SIGNER_FAILED',
  });
});

test('a key that cannot sign fails with its code', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  assert.throws(() => signAuthenticode(digest, certificateDer, publicKey), {
    code: 'SIGNER_FAILED',
  });
});
