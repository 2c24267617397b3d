/** With Secure Boot on, nothing is installed that firmware is known not to start. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Guid } from '../../src/guid.ts';
import { KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { selfSignedCertificate } from '../../src/signer/self-signed.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificateDer, certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine, type Ran } from './a-machine.ts';

const missing = missingTools(['openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const SHIM = 'MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23';

function aCertificate(commonName: string) {
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const times = { notBefore: 0, notAfter: 4_000_000_000 };
  const der = selfSignedCertificate(
    { commonName, serialNumber: new Uint8Array(16), ...times },
    pair,
  );
  return { der, pem: new X509Certificate(der).toString(), key: pair.privateKey };
}

const stranger = aCertificate('Somebody else');

/** Puts certificates into the firmware of a machine that has Secure Boot on; returns where. */
function trusts(machine: Machine, ...certificates: readonly Uint8Array[]): string {
  const owner = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
  const lists = formatSignatureLists(certificates.map((data) => ({ type: X509, owner, data })));
  const path = join(machine.efivars, `db-${KEY_VARIABLES.db.vendor}`);
  fs.writeFileSync(path, Buffer.concat([Buffer.alloc(4), lists]));
  machine.variable('SecureBoot', 'global', Uint8Array.of(1));
  return path;
}

function install(machine: Machine, certificate = certificatePath): Promise<Ran> {
  const key = join(machine.root, 'db.key');
  if (!fs.existsSync(key)) fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  const pair = ['--certificate', certificate, '--private-key', key, '--quiet'];
  return machine.runWith({}, 'install', ...machine.arguments(), ...pair);
}

describe('with Secure Boot on, a certificate', () => {
  test('that firmware does not know installs nothing', async (t) => {
    const machine = aMachine(t);
    trusts(machine, stranger.der);
    const { status, error } = await install(machine);
    assert.equal(error?.code, 'SECURE_BOOT_UNTRUSTED');
    assert.equal(status, 3);
    assert.deepEqual(machine.tree(), {});
  });

  test('that firmware knows is installed with', async (t) => {
    const machine = aMachine(t);
    trusts(machine, stranger.der, certificateDer);
    assert.equal((await install(machine)).status, 0);
  });

  test('that one issued which firmware knows is installed with', { skip }, async (t) => {
    const machine = aMachine(t);
    const authority = aCertificate('An authority');
    const path = (name: string, text = '') => {
      const full = join(machine.root, name);
      if (text !== '') fs.writeFileSync(full, text, { mode: 0o600 });
      return full;
    };
    const pair = [
      ...['-CA', path('ca.pem', authority.pem)],
      ...['-CAkey', path('ca.key', `${authority.key.export({ type: 'pkcs8', format: 'pem' })}`)],
    ];
    const request = ['-new', '-key', path('db.key', privateKeyPem), '-subj', '/CN=Issued'];
    run('openssl', ['req', ...request, '-out', path('issued.csr')]);
    const issued = path('issued.pem');
    run('openssl', ['x509', '-req', '-in', path('issued.csr'), ...pair, '-out', issued]);
    trusts(machine, stranger.der);
    assert.equal((await install(machine, issued)).error?.code, 'SECURE_BOOT_UNTRUSTED');
    trusts(machine, stranger.der, authority.der);
    assert.equal((await install(machine, issued)).status, 0);
  });

  test('is not judged where shim has a list of its own', async (t) => {
    const machine = aMachine(t);
    trusts(machine, stranger.der);
    fs.writeFileSync(join(machine.efivars, SHIM), Buffer.alloc(4));
    assert.equal((await install(machine)).status, 0);
  });

  test('is not judged by a variable that cannot be read', async (t) => {
    const machine = aMachine(t);
    fs.truncateSync(trusts(machine, stranger.der), 30);
    assert.equal((await install(machine)).status, 0);
  });
});
