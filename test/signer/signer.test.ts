import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { certificateSigner } from '../../src/signer/certificate-signer.ts';
import { unsigned } from '../../src/signer/signer.ts';
import { certificate, certificateDer, imageDigest, privateKey } from './test-key.ts';

const signer = certificateSigner(certificate, privateKey);
const signed = (name: string) => signer.sign(imageDigest(name)) ?? new Uint8Array();

test('the fingerprint is the SHA-256 of the certificate', () => {
  assert.equal(signer.fingerprint, createHash('sha256').update(certificateDer).digest('hex'));
});

test('an image is signed once, however often it is asked for', () => {
  assert.equal(signer.sign(imageDigest('a')), signer.sign(imageDigest('a')));
  assert.notDeepEqual(signer.sign(imageDigest('a')), signer.sign(imageDigest('b')));
});

test('one valid signature among several is enough', () => {
  const signatures = [Uint8Array.of(1, 2, 3), signed('another'), signed('image')];
  assert.deepEqual(signer.verify(signatures, imageDigest('image')), { kind: 'valid' });
});

test('an image without a signature is invalid for who signs', () => {
  assert.deepEqual(signer.verify([], imageDigest()), {
    kind: 'invalid',
    because: 'it is not signed',
  });
});

test('every signature that is not valid says why', () => {
  const verdict = signer.verify([Uint8Array.of(1), signed('another')], imageDigest('image'));
  assert.deepEqual(verdict, { kind: 'invalid', because: 'it is not DER; it is of another image' });
});

test('a table of a thousand bad signatures costs no more than sixteen', () => {
  const signatures = [...Array.from({ length: 1000 }, () => Uint8Array.of(1)), signed('image')];
  assert.equal(signer.verify(signatures, imageDigest('image')).kind, 'invalid');
});

test('who does not sign asks for no signature and minds none', () => {
  assert.equal(unsigned.fingerprint, 'unsigned');
  assert.equal(unsigned.sign(imageDigest()), undefined);
  assert.deepEqual(unsigned.verify([], imageDigest()), { kind: 'valid' });
  assert.deepEqual(unsigned.verify([signed('another')], imageDigest()), { kind: 'valid' });
});
