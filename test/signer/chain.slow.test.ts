/** A certificate with its intermediates: what is embedded, what other tools say of it, and who trusts it. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { EspError } from '../../src/error.ts';
import type { Guid } from '../../src/guid.ts';
import { banOfChain, firmwareKeys, firmwareTrusts } from '../../src/inspection/firmware-trust.ts';
import { certificateTable } from '../../src/pe/certificate-table.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { IMAGE_SECURITY_DATABASE, KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { chainFrom } from '../../src/signer/chain.ts';
import { loadCommandSigner } from '../../src/signer/command-signer.ts';
import { loadChain, loadSigner, loadVerifier } from '../../src/signer/pem.ts';
import { once } from '../boot/installed.ts';
import { aWorkbench } from '../command/a-uki.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { makeChain } from './a-chain.ts';
import { certificatePath, imageDigest } from './test-key.ts';

const missing = missingTools(['openssl', 'sbsigntool']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const PROGRAM = aPe({ sections: [{ name: '.text', bytes: countingBytes(904) }] });
const NOW = Date.now() / 1000;

const folder = mkdtempSync(join(tmpdir(), 'espalier-chain-'));
after(() => rmSync(folder, { recursive: true }));
const chain = once(() => makeChain(folder));
const disk = nodeDisk();
const machine = nodeMachine(new URL('file:///nowhere'));
const read = (path: string) => new X509Certificate(readFileSync(path));

function load(certificate: string) {
  const files = { certificate, privateKey: chain().privateKey, allowInsecureKey: true };
  return loadSigner(files, { uid: process.getuid?.() ?? 0, stores: [] }, disk, NOW);
}

/** Writes a PEM file of several others. */
function joined(name: string, ...paths: readonly string[]): string {
  const path = join(folder, name);
  fs.writeFileSync(path, paths.map((each) => readFileSync(each, 'utf8')).join('\n'));
  return path;
}

describe('a certificate with its intermediates', () => {
  test('is embedded whole: sbverify and osslsigncode follow it to the root', {
    skip,
  }, async (t) => {
    const bench = aWorkbench(t);
    const { bundle, privateKey, root } = chain();
    const program = bench.put('a.efi', PROGRAM);
    const pair = ['--certificate', bundle, '--private-key', privateKey];
    assert.equal((await bench.run(['sign', program, ...pair])).status, 0);
    run('sbverify', ['--cert', root, program]);
    if (missingTools(['osslsigncode']).length > 0) return;
    run('osslsigncode', ['verify', '-CAfile', root, program]);
  });

  test('is embedded as sbsign --addcert does it', { skip }, async (t) => {
    const bench = aWorkbench(t);
    const { bundle, certificate, authority, privateKey } = chain();
    const program = bench.put('a.efi', PROGRAM);
    const theirs = bench.path('theirs.efi');
    const key = ['--cert', certificate, '--key', privateKey, '--addcert', authority];
    run('sbsign', [...key, '--output', theirs, program]);
    const pair = ['--certificate', bundle, '--private-key', privateKey];
    const { output } = await bench.run(['sign', theirs, ...pair]);
    assert.match(output, /is signed, nothing to do/);
  });

  test('makes a signature without its intermediates one that is not valid', { skip }, () => {
    const bare = load(chain().certificate).signer.sign(imageDigest()) ?? new Uint8Array();
    const whole = load(chain().bundle).signer;
    assert.deepEqual(whole.verify([bare], imageDigest()), {
      kind: 'invalid',
      because: 'it does not carry the intermediate certificates',
    });
    const signature = whole.sign(imageDigest()) ?? new Uint8Array();
    assert.deepEqual(whole.verify([signature], imageDigest()), { kind: 'valid' });
    assert.equal(loadVerifier(chain().bundle, disk).verify([bare], imageDigest()).kind, 'invalid');
  });

  test('is counted in the size that a plan asks for', { skip }, () => {
    const { signer } = load(chain().bundle);
    assert.equal(signer.sign(imageDigest())?.length, signer.signatureSize);
  });

  test('keeps its name: the fingerprint is that of the signer', { skip }, () => {
    assert.equal(
      load(chain().bundle).signer.fingerprint,
      load(chain().certificate).signer.fingerprint,
    );
  });

  test('is the same with a key behind a command', { skip }, () => {
    const { bundle, privateKey } = chain();
    const command = [
      'openssl',
      'pkeyutl',
      '-sign',
      '-inkey',
      privateKey,
      '-pkeyopt',
      'digest:sha256',
    ];
    const { signer } = loadCommandSigner(
      { certificate: bundle, command, batch: false },
      { disk, machine },
      NOW,
    );
    assert.deepEqual(signer.sign(imageDigest()), load(bundle).signer.sign(imageDigest()));
  });

  test('may have its root in the file, and in any order', { skip }, () => {
    const { certificate, authority, root } = chain();
    for (const others of [
      [authority, root],
      [root, authority],
    ]) {
      const { intermediates, strangers } = loadChain(
        joined('any.pem', certificate, ...others),
        disk,
      );
      assert.deepEqual(
        intermediates.map(({ subject }) => subject),
        ['CN=Chain authority', 'CN=Chain root'],
      );
      assert.equal(strangers, 0);
    }
  });

  test('that begins with the authority is told as that, with a key and without', { skip }, () => {
    const { authority, certificate, privateKey } = chain();
    const wrong = joined('wrong.pem', authority, certificate);
    assert.throws(
      () => load(wrong),
      (error: EspError) => {
        assert.equal(error.code, 'KEY_INVALID');
        assert.match(error.message, /the first certificate in it is not the one of private key/);
        assert.match(error.hint ?? '', /put the certificate of the key first/);
        return true;
      },
    );
    const command = ['openssl', 'pkeyutl', '-sign', '-inkey', privateKey];
    const asked = { certificate: wrong, command, batch: false };
    const { warnings } = loadCommandSigner(asked, { disk, machine }, NOW);
    assert.match(warnings.join(), /the first certificate in it issued another one of it/);
  });

  test('embeds nothing that did not issue it, and says so', { skip }, () => {
    const { warnings, signer } = load(joined('strange.pem', chain().bundle, certificatePath));
    assert.match(warnings.join(), /1 other certificate in it did not issue it/);
    assert.equal(signer.signatureSize, load(chain().bundle).signer.signatureSize);
  });

  test('is not kept from signing by a damaged certificate behind it, which is told', {
    skip,
  }, () => {
    const damaged = join(folder, 'damaged.pem');
    const block = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    fs.writeFileSync(damaged, readFileSync(chain().certificate, 'utf8') + block);
    assert.match(load(damaged).warnings.join(), /1 other certificate/);
  });

  test('ends at what is no authority', { skip }, () => {
    const [leaf, authority] = [read(chain().certificate), read(chain().authority)];
    assert.equal(chainFrom(leaf, [authority]).length, 2);
    assert.equal(chainFrom(authority, [leaf]).length, 1);
  });

  test('gives a file that sbsign signed anew only what is missing', { skip }, async (t) => {
    const bench = aWorkbench(t);
    const { bundle, certificate, privateKey, root } = chain();
    const program = bench.put('a.efi', PROGRAM);
    const key = ['--private-key', privateKey];
    await bench.run(['sign', program, '--certificate', certificate, ...key]);
    const { output } = await bench.run(['sign', program, '--certificate', bundle, ...key]);
    assert.match(output, /: signed/);
    const bytes = readFileSync(program);
    assert.equal(certificateTable(bytesSource(bytes), parsePe(bytesSource(bytes))).length, 2);
    run('sbverify', ['--cert', root, program]);
  });
});

describe('firmware', () => {
  const owner = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
  const holding = (db: readonly string[], dbx: readonly string[] = []) => {
    const variables = mkdtempSync(join(folder, 'efivars-'));
    const put = (name: string, vendor: string, paths: readonly string[]) => {
      const entries = paths.map((path) => ({
        type: X509,
        owner,
        data: Uint8Array.from(read(path).raw),
      }));
      const lists = formatSignatureLists(entries);
      fs.writeFileSync(
        join(variables, `${name}-${vendor}`),
        Buffer.concat([Buffer.alloc(4), lists]),
      );
    };
    put('db', KEY_VARIABLES.db.vendor, db);
    put('dbx', IMAGE_SECURITY_DATABASE, dbx);
    return variables;
  };
  const certificates = (path: string) => {
    const { certificate, intermediates } = loadChain(path, disk);
    return [certificate, ...intermediates];
  };

  test('with the root in db trusts the chain, and not the certificate alone', { skip }, () => {
    const keys = firmwareKeys(holding([chain().root]), disk);
    assert.equal(firmwareTrusts(certificates(chain().bundle), keys), true);
    assert.equal(firmwareTrusts(certificates(chain().certificate), keys), false);
  });

  test('with an intermediate in db trusts both', { skip }, () => {
    const keys = firmwareKeys(holding([chain().authority]), disk);
    assert.equal(firmwareTrusts(certificates(chain().bundle), keys), true);
    assert.equal(firmwareTrusts(certificates(chain().certificate), keys), true);
  });

  test('with any certificate of the chain in dbx refuses it, the issuer of one too', {
    skip,
  }, () => {
    for (const banned of ['certificate', 'authority', 'root'] as const) {
      const keys = firmwareKeys(holding([chain().root], [chain()[banned]]), disk);
      assert.equal(banOfChain(certificates(chain().bundle), keys)?.by, 'certificate', banned);
    }
    const keys = firmwareKeys(holding([chain().root], [certificatePath]), disk);
    assert.equal(banOfChain(certificates(chain().bundle), keys), undefined);
  });

  test('with a dbx that is none is told, and forbids nothing that is known', { skip }, () => {
    const variables = holding([chain().root]);
    const path = join(variables, `dbx-${IMAGE_SECURITY_DATABASE}`);
    fs.writeFileSync(path, Buffer.alloc(40, 1));
    const keys = firmwareKeys(variables, disk);
    assert.equal(keys.forbidden, undefined);
    assert.match(keys.problems.join(), /firmware: dbx: signature list/);
  });
});
