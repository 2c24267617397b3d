/** `verify FILE…`: who signed a program, over what, and whether firmware or a certificate accepts it. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Guid } from '../../src/guid.ts';
import { IMAGE_SHA256 } from '../../src/secureboot/forbidden.ts';
import { IMAGE_SECURITY_DATABASE, KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, type Signature, X509 } from '../../src/secureboot/signature-list.ts';
import { signAuthenticode } from '../../src/signer/cms.ts';
import { selfSignedCertificate } from '../../src/signer/self-signed.ts';
import { readSignature } from '../../src/signer/signature-listing.ts';
import { SIGNATURES } from '../hostile/corpus-signatures.ts';
import { mutated } from '../hostile/mutation.ts';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { bounds } from '../property/bounds.ts';
import {
  certificate,
  certificateDer,
  certificatePath,
  imageDigest,
  privateKey,
  privateKeyPath,
} from '../signer/test-key.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const PROGRAM = aPe({ sections: [{ name: '.text', bytes: countingBytes(904) }] });
const owner = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
const isMissing = missingTools(['openssl', 'sbsigntool', 'osslsigncode']).length > 0;
const skip = isMissing && 'SKIPPED, missing tools';

function strangerPem(): string {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const text = { commonName: 'Stranger', notBefore: 0, notAfter: 4e9 };
  const der = selfSignedCertificate({ ...text, serialNumber: new Uint8Array(16) }, pair);
  return new X509Certificate(der).toString();
}

/** A bench with a signed program, and firmware that holds these entries. */
async function aBench(t: TestContext, db?: readonly Signature[], dbx: readonly Signature[] = []) {
  const bench = aWorkbench(t);
  const variables = bench.path('efivars');
  if (db !== undefined) {
    fs.mkdirSync(variables);
    const put = (name: string, vendor: string, entries: readonly Signature[]) => {
      const value = Buffer.concat([Buffer.alloc(4), formatSignatureLists(entries)]);
      fs.writeFileSync(join(variables, `${name}-${vendor}`), value);
    };
    put('db', KEY_VARIABLES.db.vendor, db);
    put('dbx', IMAGE_SECURITY_DATABASE, dbx);
  }
  bench.environment = { ESPALIER_EFIVARS: variables };
  bench.put('a.efi', PROGRAM);
  bench.put('bare.efi', PROGRAM);
  const key = ['--certificate', certificatePath, '--private-key', privateKeyPath];
  await bench.run(['sign', bench.path('a.efi'), ...key, '--allow-insecure-key']);
  return bench;
}

async function verify(bench: Workbench, ...args: readonly string[]) {
  const ran = await bench.run(['verify', ...args, '--json']);
  assert.equal(ran.error, undefined);
  const { files } = JSON.parse(ran.output);
  return { status: ran.status, files };
}

const ours: Signature = { type: X509, owner, data: certificateDer };

describe('verify FILE', () => {
  test('lists who signed a program, and over what', async (t) => {
    const bench = await aBench(t);
    const { status, files } = await verify(bench, bench.path('a.efi'));
    assert.equal(status, 0);
    const [signature] = files[0].signatures;
    assert.equal(
      signature.certificate,
      certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    );
    assert.equal(signature.digest, `sha256:${files[0].digests.sha256}`);
    assert.equal(signature.valid, true);
    const { output } = await bench.try(['verify', bench.path('a.efi')]);
    assert.match(
      output,
      /signature 1: valid\n {4}by .*\n {4}certificate [0-9a-f]{64}\n {4}over sha256:/,
    );
    assert.match(output, /firmware: cannot tell/);
  });

  test('says whether the certificate that is named accepts it', async (t) => {
    const bench = await aBench(t);
    const accepted = await verify(bench, bench.path('a.efi'), '--certificate', certificatePath);
    assert.equal(accepted.status, 0);
    const stranger = bench.put('stranger.pem', strangerPem());
    const refused = await verify(bench, bench.path('a.efi'), '--certificate', stranger);
    assert.equal(refused.status, 1);
    assert.equal(refused.files[0].signatures[0].accepted, false);
  });

  test('says whether firmware starts it: db has the signer, or the digest', async (t) => {
    for (const [db, expected] of [
      [[ours], [true, false]],
      [
        [{ ...ours, data: Uint8Array.from(new X509Certificate(strangerPem()).raw) }],
        [false, false],
      ],
    ] as const) {
      const bench = await aBench(t, db);
      const { status, files } = await verify(bench, bench.path('a.efi'), bench.path('bare.efi'));
      assert.deepEqual(
        files.map((file: { starts: boolean }) => file.starts),
        expected,
      );
      assert.equal(status, 1);
    }
  });

  test('says what dbx has against it: the certificate, or the digest of the program', async (t) => {
    const first = await aBench(t, [ours], [ours]);
    const { status, files } = await verify(first, first.path('a.efi'));
    assert.equal(status, 1);
    assert.equal(files[0].starts, false);
    assert.match(files[0].signatures[0].inDbx, /by certificate/);
    const data = Uint8Array.from(Buffer.from(files[0].digests.sha256, 'hex'));
    const second = await aBench(t, [ours], [{ type: IMAGE_SHA256, owner, data }]);
    const { files: banned } = await verify(second, second.path('a.efi'));
    assert.deepEqual([banned[0].digestInDbx, banned[0].starts], [true, false]);
    const third = await aBench(t, [{ type: IMAGE_SHA256, owner, data }]);
    assert.equal((await verify(third, third.path('bare.efi'))).files[0].starts, true);
  });

  test('tells a program that was changed after it was signed, and one that is not signed', async (t) => {
    const bench = await aBench(t, [ours]);
    const changed = bench.bytes('a.efi');
    changed[0x410] = (changed[0x410] ?? 0) ^ 1;
    const { status, files } = await verify(bench, bench.put('changed.efi', changed));
    assert.equal(status, 1);
    assert.match(files[0].signatures[0].problem, /was changed/);
    const { output } = await bench.try(['verify', bench.path('bare.efi')]);
    assert.match(output, /not signed/);
  });

  test('reads SHA-256, SHA-384 and SHA-512 in signatures of others', { skip }, async (t) => {
    const bench = await aBench(t);
    for (const name of ['sha256', 'sha384', 'sha512']) {
      const output = bench.path(`${name}.efi`);
      const key = ['-certs', certificatePath, '-key', privateKeyPath, '-h', name];
      run('osslsigncode', ['sign', ...key, '-in', bench.path('bare.efi'), '-out', output]);
      const { status, files } = await verify(bench, output, '--certificate', certificatePath);
      assert.equal(status, 0, name);
      assert.equal(files[0].signatures[0].digest, `${name}:${files[0].digests[name]}`);
    }
  });

  test('lists what sbsign signed, and every signature of several', { skip }, async (t) => {
    const bench = await aBench(t);
    const output = bench.path('two.efi');
    const key = ['--cert', certificatePath, '--key', privateKeyPath, '--output', output];
    run('sbsign', [...key, bench.path('a.efi')]);
    const { files } = await verify(bench, output);
    assert.deepEqual(
      files[0].signatures.map(({ valid }: { valid: boolean }) => valid),
      [true, true],
    );
  });

  test('uki verify does the same without --repart', async (t) => {
    const bench = await aBench(t);
    const { output, status } = await bench.try(['verify', bench.path('a.efi'), '--json']);
    assert.equal(status, 0);
    assert.equal(JSON.parse(output).verb, 'uki verify');
  });

  test('one of several that is no program is told, and costs the others nothing', async (t) => {
    const bench = await aBench(t);
    const { status, files } = await verify(bench, bench.path('initrd'), bench.path('a.efi'));
    assert.equal(status, 1);
    assert.match(files[0].problem, /initrd: DOS header/);
    assert.equal(files[1].signatures.length, 1);
    const { output } = await bench.run(['verify', bench.path('initrd'), bench.path('a.efi')]);
    assert.match(output, /^not verified: .*initrd: DOS header/);
  });

  test('a file that no FAT holds is refused before it is read', async (t) => {
    const bench = await aBench(t);
    fs.truncateSync(bench.path('a.efi'), 2 ** 33);
    const { error } = await bench.run(['verify', bench.path('a.efi')]);
    assert.equal(error?.code, 'FILE_TOO_LARGE');
    assert.match(error.message, /got 8589934592 bytes \(8\.0 GiB\)$/);
  });

  test('a file that is no program is refused by name', async (t) => {
    const bench = await aBench(t);
    const { error } = await bench.run(['verify', bench.path('initrd')]);
    assert.equal(error?.code, 'PE_MALFORMED');
  });
});

test('any signature is listed or said to be none', () => {
  const good = signAuthenticode(imageDigest(), certificateDer, privateKey);
  const bases = [good, ...Object.values(SIGNATURES).map((make) => make().slice(0, 9000))];
  fc.assert(
    fc.property(mutated(good, ...bases), (bytes) => void readSignature(bytes)),
    bounds(1500),
  );
});
