import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { selfSignedCertificate } from '../../src/signer/self-signed.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';

const missing = missingTools(['openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });

function aCertificate(years: readonly [number, number], serial = 0xff): Uint8Array<ArrayBuffer> {
  const [notBefore, notAfter] = years.map((year) => Date.UTC(year, 1, 3, 4, 5, 6) / 1000);
  const serialNumber = new Uint8Array(16).fill(serial);
  const times = { notBefore: notBefore ?? 0, notAfter: notAfter ?? 0 };
  return selfSignedCertificate({ commonName: 'Schlüssel', serialNumber, ...times }, pair);
}

test('a certificate says what it was told, and is signed with its own key', () => {
  const certificate = new X509Certificate(aCertificate([2026, 2055]));
  assert.equal(certificate.subject, 'CN=Schlüssel');
  assert.equal(certificate.issuer, certificate.subject);
  assert.equal(certificate.validFromDate.toISOString(), '2026-02-03T04:05:06.000Z');
  assert.equal(certificate.validToDate.toISOString(), '2055-02-03T04:05:06.000Z');
  assert.ok(certificate.verify(pair.publicKey));
  assert.ok(certificate.checkPrivateKey(pair.privateKey));
});

for (const serial of [0x00, 0x7f, 0x80, 0xff]) {
  test(`a serial number of bytes ${serial} is positive and has sixteen bytes`, () => {
    const { serialNumber } = new X509Certificate(aCertificate([2026, 2027], serial));
    assert.match(serialNumber, /^[4-7][0-9A-F]{31}$/);
  });
}

test('openssl takes a certificate for its own authority, strictly', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-x509-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'PK.pem');
  writeFileSync(path, new X509Certificate(aCertificate([2020, 2055])).toString());
  run('openssl', ['verify', '-x509_strict', '-CAfile', path, path]);
  const text = run('openssl', ['x509', '-in', path, '-noout', '-text']);
  assert.match(text, /Version: 3 .*sha256WithRSAEncryption.*CA:TRUE/s);
});
