import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { insteadOf, uriHint } from '../../src/signer/instead.ts';
import { loadSigner } from '../../src/signer/pem.ts';
import {
  certificateDer,
  certificatePath,
  certificatePem,
  imageDigest,
  privateKey,
  privateKeyPath,
  privateKeyPem,
} from './test-key.ts';
import { treeDisk } from './tree-disk.ts';

const YEAR_2030 = Date.UTC(2030, 0) / 1000;
const ROOT = { uid: 0, stores: [] };
const files = { certificate: '/db.pem', privateKey: '/db.key', allowInsecureKey: false };

/** Loads a certificate and a key with these contents; undefined leaves the file out. */
function load(
  certificate: string | undefined,
  key: string | undefined,
  now = YEAR_2030,
  mode = 0o600,
  allowInsecureKey = false,
) {
  const disk = treeDisk({
    ...(certificate !== undefined && { '/db.pem': { content: certificate, mode: 0o644 } }),
    ...(key !== undefined && { '/db.key': { content: key, mode } }),
  });
  return loadSigner({ ...files, allowInsecureKey }, ROOT, disk, now);
}

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();
const rsa = (bits: number) => pem(generateKeyPairSync('rsa', { modulusLength: bits }).privateKey);

test('a certificate and its key sign and verify', () => {
  const { signer, warnings } = load(certificatePem, privateKeyPem);
  const signature = signer.sign(imageDigest()) ?? new Uint8Array();
  assert.deepEqual(signer.verify([signature], imageDigest()), { kind: 'valid' });
  assert.deepEqual(warnings, []);
});

test('they are loaded from the real disk', () => {
  const real = { certificate: certificatePath, privateKey: privateKeyPath, allowInsecureKey: true };
  assert.doesNotThrow(() => loadSigner(real, ROOT, nodeDisk(), YEAR_2030));
});

test('a PKCS#1 key, text around the PEM and a chain behind the certificate are accepted', () => {
  const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const chain = `Subject: CN=db\n${certificatePem}${certificatePem.replace('MII', 'AAA')}`;
  assert.doesNotThrow(() => load(chain, `# the key\n${pkcs1}`));
});

test('a certificate outside of its dates is a warning', () => {
  const [early] = load(certificatePem, privateKeyPem, Date.UTC(2019, 11, 31) / 1000).warnings;
  assert.match(early ?? '', /\/db\.pem: is valid only from 2020-01-01 on/);
  const [late] = load(certificatePem, privateKeyPem, Date.UTC(2120, 0, 2) / 1000).warnings;
  assert.match(late ?? '', /\/db\.pem: has expired on 2120-01-01/);
});

test('a key that others can read is refused unless that is allowed', () => {
  assert.throws(() => load(certificatePem, privateKeyPem, YEAR_2030, 0o644), {
    code: 'KEY_INSECURE',
  });
  assert.doesNotThrow(() => load(certificatePem, privateKeyPem, YEAR_2030, 0o644, true));
});

const ec = () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
const cipher = { cipher: 'aes-256-cbc', passphrase: 'secret' } as const;
const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

const refused: Readonly<
  Record<string, readonly [RegExp, () => readonly [string | undefined, string | undefined]]>
> = {
  'a missing certificate': [
    /^certificate \/db\.pem: expected a file/,
    () => [undefined, privateKeyPem],
  ],
  'a missing key': [/^private key \/db\.key: expected a file/, () => [certificatePem, undefined]],
  'an empty certificate': [/expected PEM .* got an empty file/, () => ['', privateKeyPem]],
  'a certificate in DER': [
    /expected PEM .* got DER$/,
    () => [Buffer.from(certificateDer).toString('latin1'), privateKeyPem],
  ],
  'a key in place of the certificate': [/got a private key$/, () => [privateKeyPem, privateKeyPem]],
  'a certificate in place of the key': [
    /got a certificate$/,
    () => [certificatePem, certificatePem],
  ],
  'a damaged certificate': [
    /certificate \/db\.pem: cannot be decoded/,
    () => [broken, privateKeyPem],
  ],
  'a damaged key': [
    /private key \/db\.key: cannot be decoded/,
    () => [certificatePem, privateKeyPem.replace(/MII/, 'AAA')],
  ],
  'an encrypted PKCS#8 key': [
    /it is encrypted/,
    () => [
      certificatePem,
      privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher }).toString(),
    ],
  ],
  'an encrypted PKCS#1 key': [
    /it is encrypted/,
    () => [
      certificatePem,
      privateKey.export({ type: 'pkcs1', format: 'pem', ...cipher }).toString(),
    ],
  ],
  'a key of elliptic curves': [/expected RSA .* got ec$/, () => [certificatePem, ec()]],
  'an RSA key of 1024 bits': [/got rsa with 1024 bits$/, () => [certificatePem, rsa(1024)]],
  'a key of another certificate': [
    /it is not the key of certificate \/db\.pem$/,
    () => [certificatePem, rsa(2048)],
  ],
};

for (const [what, [message, make]] of Object.entries(refused)) {
  test(`${what} is refused, and the hint says what to do`, () => {
    const [certificate, key] = make();
    assert.throws(
      () => load(certificate, key),
      (error) =>
        error instanceof EspError &&
        error.code === 'KEY_INVALID' &&
        message.test(error.message) &&
        error.hint !== undefined,
    );
  });
}

test('a relative path is refused, because hook and service run elsewhere', () => {
  const relative = { ...files, certificate: 'db.pem' };
  assert.throws(() => loadSigner(relative, ROOT, treeDisk({}), YEAR_2030), { code: 'KEY_INVALID' });
});

test('no error ever shows what is in a key', () => {
  const secret = privateKeyPem.split('\n')[5] ?? '';
  const bad = privateKeyPem.replace('MII', 'AAA');
  for (const key of [bad, `-----BEGIN ${secret}`, secret, certificatePem + secret]) {
    try {
      load(certificatePem, key);
      assert.fail('expected an error');
    } catch (error) {
      assert.ok(error instanceof EspError);
      assert.ok(!`${error.message}${error.hint}${error.stack}`.includes(secret.slice(0, 16)));
    }
  }
});

test('any damage to either file is refused with a code or does no harm', () => {
  const damaged = (text: string) =>
    fc.tuple(fc.nat(text.length), fc.nat(40), fc.string()).map(([at, drop, insert]) => {
      return text.slice(0, at) + insert + text.slice(at + drop);
    });
  fc.assert(
    fc.property(damaged(certificatePem), damaged(privateKeyPem), (certificate, key) => {
      for (const [pemOfCertificate, pemOfKey] of [
        [certificate, privateKeyPem],
        [certificatePem, key],
      ]) {
        try {
          load(pemOfCertificate, pemOfKey);
        } catch (error) {
          assert.ok(error instanceof EspError, String(error));
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('whatever is given in place of a key or certificate, the next step is a line to type or to read', () => {
  const armour = (label: string) => `-----BEGIN ${label}-----\nMA==\n-----END ${label}-----\n`;
  const pfx = Buffer.from('3082100002010330820f', 'hex').toString('latin1');
  for (const [text, asCertificate, asKey] of [
    [pfx, /openssl pkcs12 .* -nokeys/, /openssl pkcs12 .* -nocerts/],
    [armour('PKCS7'), /openssl pkcs7 -print_certs/, /openssl pkcs7/],
    [armour('TSS2 PRIVATE KEY'), /--signing-command/, /--signing-command/],
    [armour('CERTIFICATE REQUEST'), /that was made of it/, /that was made of it/],
    [armour('PUBLIC KEY'), /the private key and the certificate/, /the private key/],
    ['who knows', /as openssl writes it in PEM/, /as openssl writes it in PEM/],
  ] as const) {
    assert.match(insteadOf('certificate', '/x', text).hint, asCertificate);
    assert.match(insteadOf('private key', '/x', text).hint, asKey);
  }
  assert.match(uriHint('/root/pkcs11:token=x') ?? '', /--signing-command/);
  assert.equal(uriHint('/keys/db.key'), undefined);
});
